"""Authentication and authorization: bearer tokens, permissions and SelfSubject reviews."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from sandbox.cluster.errors import ApiError, Obj, forbidden, qualified_name, unauthorized
from sandbox.cluster.requests import Target
from sandbox.cluster.resources import ACCESS_REVIEWS, RESOURCES, RULES_REVIEWS
from sandbox.cluster.schema import prune_kind


@dataclass(frozen=True)
class AccessRequest:
    """A verb on a resource (`pods`, `pods/log`), in the terms of RBAC."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


class Access:
    """The permissions: a known user may do everything until `restrict` or `forbid` is called."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self._tokens: dict[str, str] = {}
        self._renewed = 0
        self._forbidden: set[tuple[str, str, str, str]] = set()
        self._rules: dict[str, list[tuple[str, Obj]]] = {}

    def token(self, user: str) -> str:
        """The bearer token of a user; from now on the user is known."""
        owner = f"{self.cluster}_{user}".replace("-", "_")
        token = f"sandbox-token-{owner}" + (f"-{self._renewed}" if self._renewed else "")
        self._tokens[token] = user
        return token

    def expire_tokens(self, user: str) -> None:
        """Accept no token of a user any more that was given out until now."""
        for token in [token for token, owner in self._tokens.items() if owner == user]:
            del self._tokens[token]
        self._renewed += 1

    def has_token(self, user: str) -> bool:
        """Whether a token was ever given out for this user."""
        return user in self._tokens.values()

    def authenticate(self, authorization: str) -> str:
        """The user of an Authorization header; raises ApiError (401) when the token is unknown."""
        scheme, _, token = authorization.partition(" ")
        user = self._tokens.get(token)
        if scheme.lower() != "bearer" or user is None:
            raise unauthorized()
        return user

    def restrict(self, user: str, rules: Sequence[Obj], namespace: str) -> None:
        """Allow a user only what the rules of a Role allow; namespace "" means a ClusterRole."""
        self._rules.setdefault(user, []).extend((namespace, rule) for rule in rules)

    def forbid(self, user: str, verb: str, resource: str, namespace: str) -> None:
        """Take a permission away; `*` stands for every verb or resource, "" for every namespace."""
        self._forbidden.add((user, verb, resource, namespace))

    def permit(self, user: str, verb: str, resource: str, namespace: str) -> None:
        """Give a permission back that `forbid` took."""
        self._forbidden.discard((user, verb, resource, namespace))

    def allows(self, user: str, request: AccessRequest) -> bool:
        """Whether a user may do what is requested."""
        if self._is_forbidden(user, request):
            return False
        if user not in self._rules:
            return True
        return any(_rule_allows(rule, place, request) for place, rule in self._rules[user])

    def _is_forbidden(self, user: str, request: AccessRequest) -> bool:
        plural, slash, sub = request.resource.partition("/")
        names = {"*", qualified_name(request.group, plural) + slash + sub}
        # The metrics of pods are not the pods: their bare name means only the latter.
        if request.group != "metrics.k8s.io":
            names.add(request.resource)
        namespaces = {"", request.namespace}
        rules_named = product({user, "*"}, {request.verb, "*"}, names, namespaces)
        return not self._forbidden.isdisjoint(rules_named)

    def check(self, user: str, target: Target) -> None:
        """Raise ApiError (403, in a real server's words) when the user may not make the request."""
        if target.resource in (ACCESS_REVIEWS, RULES_REVIEWS):
            return
        # An exec over a websocket begins as a GET, and still needs the right to create one.
        verbs = ("get", "create") if target.subresource == "exec" else (target.verb,)
        for verb in verbs:
            request = AccessRequest(
                verb, target.resource.group, target.resource_path, target.namespace, target.name
            )
            if not self.allows(user, request):
                raise _refusal(user, request, target)


def _rule_allows(rule: Obj, namespace: str, request: AccessRequest) -> bool:
    def listed(field: str, *values: str) -> bool:
        return any(value in rule.get(field, ()) for value in ("*", *values))

    subresource = f"*/{request.resource.partition('/')[2]}"
    named = not rule.get("resourceNames") or request.name in rule["resourceNames"]
    in_namespace = namespace in ("", request.namespace)
    resource = listed(
        "resources", request.resource, subresource if "/" in request.resource else request.resource
    )
    return (
        in_namespace
        and named
        and resource
        and listed("verbs", request.verb)
        and listed("apiGroups", request.group)
    )


def _refusal(user: str, request: AccessRequest, target: Target) -> ApiError:
    place = (
        f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    )
    message = (
        f'User "{user}" cannot {request.verb} resource "{request.resource}" '
        f'in API group "{request.group}" {place}'
    )
    return forbidden(request.group, target.resource.plural, request.name, message)


def review_access(access: Access, user: str, body: Obj) -> Obj:
    """Answer a SelfSubjectAccessReview; raises ApiError (422) when it names no attributes."""
    review, _ = prune_kind("SelfSubjectAccessReview", "v1", body)
    attributes = (review.get("spec") or {}).get("resourceAttributes")
    path_attributes = (review.get("spec") or {}).get("nonResourceAttributes")
    if (attributes is None) == (path_attributes is None):
        raise _invalid_review()
    if attributes is None:
        return review | {"status": {"allowed": True}}
    resource = "/".join(
        filter(None, (attributes.get("resource", "*"), attributes.get("subresource", "")))
    )
    named = {key: attributes.get(key, "") for key in ("group", "namespace", "name")}
    if access.allows(user, AccessRequest(attributes.get("verb", "*"), resource=resource, **named)):
        reason = 'RBAC: allowed by RoleBinding "runbolt"'
        return review | {"status": {"allowed": True, "reason": reason}}
    return review | {"status": {"allowed": False}}


def _invalid_review() -> ApiError:
    message = (
        'SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec: Invalid value: "": '
        "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    )
    return ApiError(422, "Invalid", message)


def review_rules(access: Access, user: str, body: Obj) -> Obj:
    """Answer a SelfSubjectRulesReview."""
    review, _ = prune_kind("SelfSubjectRulesReview", "v1", body)
    namespace = (review.get("spec") or {}).get("namespace", "")
    rules = []
    for resource in RESOURCES:
        names = {resource.plural: resource.verbs}
        names |= {f"{resource.plural}/{sub}": verbs for sub, _, verbs in resource.subresources}
        for name, verbs in names.items():
            deeds = [AccessRequest(verb, resource.group, name, namespace) for verb in verbs]
            allowed = [deed.verb for deed in deeds if access.allows(user, deed)]
            if allowed:
                rules.append({"verbs": allowed, "apiGroups": [resource.group], "resources": [name]})
    paths = [{"verbs": ["get"], "nonResourceURLs": ["/api", "/apis", "/version", "/healthz"]}]
    status = {"resourceRules": rules, "nonResourceRules": paths, "incomplete": False}
    return review | {"status": status}
