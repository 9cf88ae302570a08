"""Who is asking, and what they may: tokens, permissions, and the reviews that tell them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.cluster.errors import ApiError, Obj, forbidden, qualified, unauthorized
from sandbox.cluster.requests import Target
from sandbox.cluster.resources import ACCESS_REVIEWS, RESOURCES, RULES_REVIEWS
from sandbox.cluster.schema import prune_kind


@dataclass(frozen=True)
class Deed:
    """One thing to do: a verb on a resource, named as RBAC names it."""

    verb: str
    group: str
    what: str
    namespace: str = ""
    name: str = ""


class Access:
    """Everybody known may do everything, until rules are made or something is forbidden."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._forbidden: set[tuple[str, str, str]] = set()
        self._rules: dict[str, list[tuple[str, Obj]]] = {}

    def token(self, user: str) -> str:
        """The bearer token of a user, who is known from now on."""
        token = f"sandbox-token-{user}"
        self._tokens[token] = user
        return token

    def knows(self, user: str) -> bool:
        """Whether a token was ever given out for this user."""
        return user in self._tokens.values()

    def user_of(self, authorization: str) -> str:
        """The user that an Authorization header names, or 401."""
        scheme, _, token = authorization.partition(" ")
        user = self._tokens.get(token)
        if scheme.lower() != "bearer" or user is None:
            raise unauthorized()
        return user

    def restrict(self, user: str, rules: Sequence[Obj], namespace: str) -> None:
        """Let a user do only what rules of a Role say; "" as namespace stands for a ClusterRole."""
        self._rules.setdefault(user, []).extend((namespace, rule) for rule in rules)

    def forbid(self, user: str, verb: str, resource: str) -> None:
        """Take a permission away; `*` stands for every verb or resource."""
        self._forbidden.add((user, verb, resource))

    def permit(self, user: str, verb: str, resource: str) -> None:
        """Give it back."""
        self._forbidden.discard((user, verb, resource))

    def may(self, user: str, deed: Deed) -> bool:
        """Whether a user may do this."""
        if self._is_forbidden(user, deed):
            return False
        if user not in self._rules:
            return True
        return any(_allows(rule, place, deed) for place, rule in self._rules[user])

    def _is_forbidden(self, user: str, deed: Deed) -> bool:
        plural, slash, sub = deed.what.partition("/")
        names = {"*", qualified(deed.group, plural) + slash + sub}
        # The metrics of pods are not the pods: their bare name means only the latter.
        if deed.group != "metrics.k8s.io":
            names.add(deed.what)
        rules_named = {
            (subject, verb, name)
            for subject in (user, "*")
            for verb in (deed.verb, "*")
            for name in names
        }
        return bool(rules_named & self._forbidden)

    def check(self, user: str, target: Target) -> None:
        """Let a request pass, or refuse it as a real server words it."""
        if target.resource in (ACCESS_REVIEWS, RULES_REVIEWS):
            return
        # An exec over a websocket begins as a GET, and still needs the right to create one.
        verbs = ("get", "create") if target.subresource == "exec" else (target.verb,)
        for verb in verbs:
            deed = Deed(verb, target.resource.group, target.what, target.namespace, target.name)
            if not self.may(user, deed):
                raise _refusal(user, deed, target)


def _allows(rule: Obj, place: str, deed: Deed) -> bool:
    def listed(field: str, *values: str) -> bool:
        return any(value in rule.get(field, ()) for value in ("*", *values))

    subresource = f"*/{deed.what.partition('/')[2]}"
    named = not rule.get("resourceNames") or deed.name in rule["resourceNames"]
    in_namespace = place in ("", deed.namespace)
    resource = listed("resources", deed.what, subresource if "/" in deed.what else deed.what)
    return (
        in_namespace
        and named
        and resource
        and listed("verbs", deed.verb)
        and listed("apiGroups", deed.group)
    )


def _refusal(user: str, deed: Deed, target: Target) -> ApiError:
    place = f'in the namespace "{deed.namespace}"' if deed.namespace else "at the cluster scope"
    message = (
        f'User "{user}" cannot {deed.verb} resource "{deed.what}" in API group "{deed.group}" '
        f"{place}"
    )
    return forbidden(deed.group, target.resource.plural, deed.name, message)


def review_access(access: Access, user: str, body: Obj) -> Obj:
    """Answer a SelfSubjectAccessReview."""
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
    if access.may(user, Deed(attributes.get("verb", "*"), what=resource, **named)):
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
            deeds = [Deed(verb, resource.group, name, namespace) for verb in verbs]
            allowed = [deed.verb for deed in deeds if access.may(user, deed)]
            if allowed:
                rules.append({"verbs": allowed, "apiGroups": [resource.group], "resources": [name]})
    paths = [{"verbs": ["get"], "nonResourceURLs": ["/api", "/apis", "/version", "/healthz"]}]
    status = {"resourceRules": rules, "nonResourceRules": paths, "incomplete": False}
    return review | {"status": status}
