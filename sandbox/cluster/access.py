"""Who is asking, and what they may: tokens, permissions, and the reviews that tell them."""

from sandbox.cluster.errors import ApiError, Obj, forbidden, unauthorized
from sandbox.cluster.requests import Target
from sandbox.cluster.resources import RESOURCES
from sandbox.cluster.schema import prune_kind


class Access:
    """Everybody known may do everything, except what was forbidden them."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._forbidden: set[tuple[str, str, str]] = set()

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

    def forbid(self, user: str, verb: str, resource: str) -> None:
        """Take a permission away; `*` stands for every verb or resource."""
        self._forbidden.add((user, verb, resource))

    def permit(self, user: str, verb: str, resource: str) -> None:
        """Give it back."""
        self._forbidden.discard((user, verb, resource))

    def may(self, user: str, verb: str, resource: str) -> bool:
        """Whether a user may do this to that."""
        verbs, resources, users = (verb, "*"), (resource, "*"), (user, "*")
        asked = {(who, how, what) for who in users for how in verbs for what in resources}
        return not asked & self._forbidden

    def check(self, user: str, target: Target) -> None:
        """Let a request pass, or refuse it as a real server words it."""
        verbs = ("get", "create") if target.subresource == "exec" else (target.verb,)
        for verb in verbs:
            if not self.may(user, verb, target.what):
                raise _refusal(user, verb, target)


def _refusal(user: str, verb: str, target: Target) -> ApiError:
    group = target.resource.group
    place = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    why = f'User "{user}" cannot {verb} resource "{target.what}" in API group "{group}" {place}'
    return forbidden(group, target.resource.plural, target.name, why)


def review_access(access: Access, user: str, body: Obj) -> Obj:
    """Answer a SelfSubjectAccessReview."""
    review, _ = prune_kind("SelfSubjectAccessReview", "v1", body)
    asked = (review.get("spec") or {}).get("resourceAttributes")
    other = (review.get("spec") or {}).get("nonResourceAttributes")
    if (asked is None) == (other is None):
        raise _invalid_review()
    if asked is None:
        return review | {"status": {"allowed": True, "reason": ""}}
    what = "/".join(filter(None, (asked.get("resource", "*"), asked.get("subresource", ""))))
    allowed = access.may(user, asked.get("verb", "*"), what)
    reason = 'RBAC: allowed by ClusterRoleBinding "sandbox"' if allowed else ""
    return review | {"status": {"allowed": allowed} | ({"reason": reason} if reason else {})}


def _invalid_review() -> ApiError:
    message = (
        'SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec: Invalid value: "": '
        "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    )
    return ApiError(422, "Invalid", message)


def review_rules(access: Access, user: str, body: Obj) -> Obj:
    """Answer a SelfSubjectRulesReview."""
    review, _ = prune_kind("SelfSubjectRulesReview", "v1", body)
    rules = []
    for resource in RESOURCES:
        names = {resource.plural: resource.verbs}
        names |= {f"{resource.plural}/{sub}": verbs for sub, _, verbs in resource.subresources}
        for name, verbs in names.items():
            allowed = [verb for verb in verbs if access.may(user, verb, name)]
            if allowed:
                rules.append({"verbs": allowed, "apiGroups": [resource.group], "resources": [name]})
    paths = [{"verbs": ["get"], "nonResourceURLs": ["/api", "/apis", "/version", "/healthz"]}]
    status = {"resourceRules": rules, "nonResourceRules": paths, "incomplete": False}
    return review | {"status": status}
