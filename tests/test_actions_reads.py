"""Looking: pods, logs and dependencies, on a cluster that is well, ill, mute or forbidding."""

import asyncio
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from bot.actions.base import Read
from bot.actions.kubernetes.dependencies import CheckDependencies
from bot.actions.kubernetes.log_lines import is_error
from bot.actions.kubernetes.logs import TailLogs
from bot.actions.kubernetes.pods import ListPods, kubectl_age
from bot.model import ReadResult
from bot.systems import ChangingSystems
from bot.systems import kubernetes as door
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from tests.cluster_fixtures import CALL_SECONDS, SELECTOR, USER, systems

__all__ = ["systems"]

CHECKS = ("tickettoken-postgres:5432", "tickettoken-redis:6379", "tickettoken-rabbitmq:5672")


def list_pods() -> Read:
    return ListPods(selector=SELECTOR)


def tail_logs() -> Read:
    return TailLogs(selector=SELECTOR)


def check_dependencies() -> Read:
    return CheckDependencies(selector=SELECTOR, checks=CHECKS)


READS = pytest.mark.parametrize("read", [list_pods, tail_logs, check_dependencies])


def rows(reading: ReadResult) -> tuple[tuple[str, ...], ...]:
    assert reading.table is not None
    return tuple(tuple(map(str, row)) for row in reading.table.rows)


@READS
async def test_an_unreachable_cluster_is_said(
    read: Callable[[], Read], systems: ChangingSystems, kube: Cluster
) -> None:
    await kube.stop_listening()
    with pytest.raises(door.Unreachable, match="Nothing was read"):
        await read().read(systems.for_reading())


@READS
async def test_mute_cluster_times_out(
    read: Callable[[], Read], systems: ChangingSystems, kube: Cluster
) -> None:
    kube.hang("*")
    with pytest.raises(door.TimedOut, match=f"within {CALL_SECONDS:g} s"):
        await read().read(systems.for_reading())


@pytest.mark.parametrize(
    ("read", "verb", "resource"),
    [
        (list_pods, "list", "pods"),
        (tail_logs, "get", "pods/log"),
        (check_dependencies, "create", "pods/exec"),
    ],
)
async def test_a_missing_right_is_named(
    read: Callable[[], Read], verb: str, resource: str, systems: ChangingSystems, kube: Cluster
) -> None:
    kube.forbid(USER, verb, resource)
    with pytest.raises(door.Forbidden, match=rf"{verb} {resource}.*deploy/rbac\.yaml"):
        await read().read(systems.for_reading())


async def test_healthy_pods(systems: ChangingSystems) -> None:
    reading = await list_pods().read(systems.for_reading())

    assert reading.ok
    assert reading.text == "3 of 3 ready"
    assert {row[:3] for row in rows(reading)} == {("Running", "1/1", "0")}
    assert {row[5] for row in rows(reading)} == {"v2.3.1"}


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("crash-loop", "0 of 3 ready: CrashLoopBackOff, exit 2"),
        ("image-pull", "ImagePullBackOff"),
        ("oom", "OOMKilled, exit 137"),
    ],
)
async def test_ill_pods_say_why(
    scenario: str, words: str, systems: ChangingSystems, kube: Cluster
) -> None:
    await kube.scenario(scenario)  # type: ignore[arg-type]
    if scenario == "crash-loop":
        await kube.wait_for_status("CrashLoopBackOff", 3)
    reading = await list_pods().read(systems.for_reading())

    assert not reading.ok
    assert words in reading.text


async def test_no_pods_is_not_well(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("no-pods")
    for read in (list_pods(), tail_logs()):
        reading = await read.read(systems.for_reading())
        assert (reading.ok, reading.text) == (
            False,
            "No pods match app=order-service in namespace tickettoken of cluster sandbox.",
        )


def test_ages_read_like_kubectl() -> None:
    ages = [kubectl_age(seconds) for seconds in (-3, 45, 119, 120, 7199, 7200, 172_799, 172_800)]
    assert ages == ["0s", "45s", "119s", "2m", "119m", "2h", "47h", "2d"]


async def test_logs_of_all_pods_newest_last(systems: ChangingSystems, kube: Cluster) -> None:
    reading = await tail_logs().read(systems.for_reading())

    assert reading.attachment is not None
    lines = reading.attachment.text.splitlines()
    stamps = [line.split(" ")[0] for line in lines]
    assert stamps == sorted(stamps)
    assert {line.split(" ")[1].split("/")[0] for line in lines} == set(kube.pod_names())
    assert reading.attachment.name == "logs-app-order-service.txt"
    assert len(reading.excerpt) <= 2_500
    assert reading.excerpt.splitlines()[-1].endswith(lines[-1][-40:])


async def test_the_run_that_crashed_is_read(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    await kube.wait_for_status("CrashLoopBackOff", 3)
    reading = await tail_logs().read(systems.for_reading())

    assert not reading.ok
    assert re.match(r"\d+ lines from 3 pods, \d+ errors\nLast error: ", reading.text)
    assert "STRIPE_WEBHOOK_TOLERANCE" in reading.text
    assert "ConfigError" in reading.excerpt


async def test_log_secrets_are_masked(systems: ChangingSystems, kube: Cluster) -> None:
    for pod in kube.pod_names():
        kube.set_logs(pod, ["password=hunter2 for bob@example.com", "<!channel> was here"])
    reading = await tail_logs().read(systems.for_reading())

    assert reading.attachment is not None
    for text in (reading.excerpt, reading.attachment.text):
        assert "hunter2" not in text
        assert "bob@" not in text
        assert "<!channel> was here" in text


async def test_whole_private_key_is_masked(systems: ChangingSystems, kube: Cluster) -> None:
    key = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBg", "-----END PRIVATE KEY-----", "after"]
    for pod in kube.pod_names():
        kube.set_logs(pod, key)
    reading = await tail_logs().read(systems.for_reading())

    assert "MIIE" not in reading.excerpt
    assert "after" in reading.excerpt


async def test_endless_log_keeps_newest_lines(systems: ChangingSystems, kube: Cluster) -> None:
    kube.endless_log(kube.pod_names()[0], 5_000_000)
    reading = await TailLogs(selector=SELECTOR, tail=5000).read(systems.for_reading())

    assert reading.attachment is not None
    assert len(reading.attachment.text.encode()) <= 1024 * 1024


async def test_mute_container_hides_no_others(systems: ChangingSystems, kube: Cluster) -> None:
    mute = kube.pod_names()[0]
    kube.hang(f"*/pods/{mute}/log")
    reading = await tail_logs().read(systems.for_reading())

    assert reading.attachment is not None
    assert mute not in reading.attachment.text
    assert any("did not answer" in note for note in reading.notes)


WRITTEN = (
    '{"level":"info","msg":"Stripe event received"}',
    '{"level":"info","msg":"GET /orders"}',
    '{"level":"error","msg":"WEBHOOK signature is wrong"}',
    '{"level":"error","msg":"cache is cold"}',
)


def written(kube: Cluster, lines: Sequence[str]) -> None:
    for pod in kube.pod_names():
        kube.set_logs(pod, list(lines))


async def test_only_lines_that_match(systems: ChangingSystems, kube: Cluster) -> None:
    written(kube, WRITTEN)
    reading = await TailLogs(selector=SELECTOR, match="stripe|webhook|payment").read(
        systems.for_reading()
    )

    assert not reading.ok
    assert reading.text == (
        "6 of 12 lines from 3 pods match (stripe 3, webhook 3, payment 0), 3 errors\n"
        "Last error: WEBHOOK signature is wrong"
    )
    assert reading.attachment is not None
    assert len(reading.attachment.text.splitlines()) == 6
    # With the quotes: the random name of a pod may well have the letters.
    assert len([line for line in reading.excerpt.splitlines() if '"msg"' in line]) == 6
    for text in (reading.excerpt, reading.attachment.text):
        assert "GET /orders" not in text
        assert "cache is cold" not in text


async def test_no_line_that_matches_is_said(systems: ChangingSystems, kube: Cluster) -> None:
    written(kube, WRITTEN)
    reading = await TailLogs(selector=SELECTOR, match="refund").read(systems.for_reading())

    assert (reading.ok, reading.is_unjudged) == (None, True)
    assert reading.text == "None of 12 lines from 3 pods match refund"
    assert reading.excerpt == ""
    assert reading.attachment is None


async def test_masked_text_cannot_be_searched(systems: ChangingSystems, kube: Cluster) -> None:
    written(kube, ["password=hunter2"])
    reading = await TailLogs(selector=SELECTOR, match="hunter").read(systems.for_reading())

    assert reading.text.startswith("None of 3 lines")


async def test_long_search_blocks_nobody(systems: ChangingSystems, kube: Cluster) -> None:
    for pod in kube.pod_names():
        kube.set_logs(pod, ["ab aab ba b" * 1400] * 2)
    # One of the slowest searches that there are; its blocks take a tenth of a second each.
    read = TailLogs(selector=SELECTOR, match="a[ab ]{1,500}b[ab ]{1,400}c")
    now = asyncio.get_running_loop().time
    start, longest = now(), 0.0
    reading = asyncio.create_task(read.read(systems))
    while not reading.done():
        before = now()
        await asyncio.sleep(0.001)
        longest = max(longest, now() - before)

    assert (await reading).text.startswith("None of 6 lines")
    assert longest < (now() - start) / 2


@pytest.mark.parametrize(
    ("match", "advice"),
    [
        ("stripe(", "missing ): stripe("),
        ("a)(b", "unexpected ): a)(b"),
        ("(?<=refund )failed", "no look-behind: search for the words themselves"),
        ("error(?! 404)", "no look-ahead and no look-behind"),
        (r"(err|warn).*\1", "no reference back to a group: write out what the group stands for"),
        ("(?P<word>a)(?P=word)", "no reference back to a group"),
        ("a++", "leave out its second `+`"),
        ("(?>a)b", "or its `?>`"),
        ("(?x) a b", "only the flags i, m and s"),
        (r"\u00e4", r"write that, or the character itself"),
        ("(?#note)a", "leave them out"),
        ("a{2000}", "1000 times at most"),
        ("(.{0,30}a){9}([^x]{0,40}y){20}", "expects a shorter regular expression"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(match: str, advice: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TailLogs(selector=SELECTOR, match=match)

    assert advice in str(refused.value)


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ('{"level":"error","msg":"x"}', True),
        ('{"level":50,"msg":"x"}', True),
        ('{"level":"info","msg":"an Error that is none"}', False),
        ("level=fatal msg=x", True),
        ("2026 ERROR broken", True),
        ("ConfigError: no number", True),
        ("no errors at all", False),
    ],
)
def test_what_counts_as_an_error(line: str, counts: bool) -> None:
    assert is_error(line) is counts


async def test_dependencies_from_a_ready_pod(systems: ChangingSystems, kube: Cluster) -> None:
    reading = await check_dependencies().read(systems.for_reading())

    assert reading.ok
    assert re.match(r"3 of 3 answer, tried from order-service-", reading.text)
    assert [row[:2] for row in rows(reading)] == [(check, "open") for check in CHECKS]


async def test_each_trouble_is_told_apart(systems: ChangingSystems, kube: Cluster) -> None:
    kube.set_port_answer("tickettoken-postgres", 5432, "refused")
    kube.set_port_answer("tickettoken-redis", 6379, "timeout")
    kube.set_port_answer("tickettoken-rabbitmq", 5672, "unknown")
    reading = await check_dependencies().read(systems.for_reading())

    assert not reading.ok
    results = [row[1] for row in rows(reading)]
    assert results == ["connection refused", "timed out", "unknown host"]


async def test_an_image_without_nc_is_said(systems: ChangingSystems, kube: Cluster) -> None:
    kube.remove_program("nc")
    read = CheckDependencies(selector=SELECTOR, checks=(f"127.0.0.1:{kube.port}",), timeout=2)
    reading = await read.read(systems.for_reading())

    assert reading.ok
    assert reading.text == "1 of 1 answer, tried from the bot, not from a pod"
    assert "has no nc" in reading.notes[0]


async def test_no_running_pod_is_said(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("no-pods")
    read = CheckDependencies(selector=SELECTOR, checks=("127.0.0.1:1",), timeout=2)
    reading = await read.read(systems.for_reading())

    assert reading.ok is None, "what the bot cannot reach says nothing of the pods"
    assert reading.text.startswith("0 of 1 answer, tried from the bot, not from a pod\n")
    assert reading.notes[0].startswith("No pod of app=order-service runs, so the bot tried")
    assert rows(reading) == (("127.0.0.1:1", "connection refused", "the bot"),)


async def test_names_only_pods_know_are_unchecked(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("no-pods")
    checks = ("postgres.invalid:5432", "127.0.0.1:1", "redis.invalid:6379")
    read = CheckDependencies(selector=SELECTOR, checks=checks, timeout=2)
    reading = await read.read(systems.for_reading())

    assert reading.ok is None
    assert reading.text == (
        "No pod of app=order-service runs, and the bot cannot find these names itself. "
        "Not checked: postgres.invalid:5432, redis.invalid:6379\n"
        "Tried from the bot, not from a pod: 127.0.0.1:1 connection refused"
    )
    assert [row[1:] for row in rows(reading)] == [
        ("not checked", "–"),
        ("connection refused", "the bot"),
        ("not checked", "–"),
    ]


async def test_one_name_that_only_pods_know(systems: ChangingSystems, kube: Cluster) -> None:
    kube.remove_program("nc")
    read = CheckDependencies(selector=SELECTOR, checks=("postgres.invalid:5432",), timeout=2)
    reading = await read.read(systems.for_reading())

    assert reading.ok is None
    assert reading.text.startswith("The image of ")
    words = (
        "has no nc, and the bot cannot find this name itself. Not checked: postgres.invalid:5432"
    )
    assert reading.text.endswith(f" {words}")


async def test_another_pod_tries_where_it_may(systems: ChangingSystems, kube: Cluster) -> None:
    """The policy names a pod of the same namespace; the bot tries too, and each is told."""
    await kube.scenario("no-pods")
    checks = ("tickettoken-postgres:5432", "tickettoken-rabbitmq:5672")
    read = CheckDependencies(selector=SELECTOR, checks=checks, timeout=2)
    named = replace(systems, probe_pods="app=tickettoken-redis").for_reading()
    well = await read.read(named)
    kube.set_port_answer("tickettoken-postgres", 5432, "refused")
    ill = await read.read(named)

    pod, bot = (
        "answer, tried from tickettoken-redis-0, not of app=order-service",
        "No pod of app=order-service runs, and the bot cannot find these names itself. "
        f"Not checked: {', '.join(checks)}",
    )
    refused = f"{checks[0]} connection refused"
    assert (well.ok, well.text) == (True, f"2 of 2 {pod}\n{bot}")
    assert (ill.ok, ill.text) == (False, f"1 of 2 {pod}\n{refused}\n{bot}")
    assert [row[2] for row in rows(ill)] == ["tickettoken-redis-0"] * 2 + ["–"] * 2
    assert ill.notes[0] == (
        "No pod of app=order-service runs. Network policies may treat other pods differently."
    )


async def test_a_named_pod_that_cannot_try(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("no-pods")
    read = CheckDependencies(selector=SELECTOR, checks=(f"127.0.0.1:{kube.port}",), timeout=2)
    nobody = await read.read(replace(systems, probe_pods="app=nobody").for_reading())
    kube.forbid(USER, "*", "pods/exec")
    named = replace(systems, probe_pods="app=tickettoken-redis")
    forbidden = await read.read(named.for_reading())

    assert (nobody.ok, nobody.text) == (True, "1 of 1 answer, tried from the bot, not from a pod")
    assert nobody.notes[1] == "No pod of app=nobody runs either."
    assert forbidden.ok
    assert forbidden.notes[1].startswith("Nor from a pod of app=tickettoken-redis: The bot may not")


async def test_services_by_their_namespace(
    systems: ChangingSystems, kube: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot in another namespace of the cluster finds a Service with its namespace only."""
    asked: list[str] = []

    async def look_up(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        if host == f"redis.{DEFAULT_NAMESPACE}":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        raise socket.gaierror

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    await kube.scenario("no-pods")
    read = CheckDependencies(selector=SELECTOR, checks=(f"redis:{kube.port}",), timeout=2)

    assert (await read.read(systems.for_reading())).ok
    assert asked == [f"redis.{DEFAULT_NAMESPACE}"]


async def test_reads_write_nothing(systems: ChangingSystems, kube: Cluster) -> None:
    before = len(kube.writes)
    for read in (list_pods, tail_logs, check_dependencies):
        await read().read(systems.for_reading())

    assert len(kube.writes) == before


async def test_deployments_name_their_cluster(systems: ChangingSystems, kube: Cluster) -> None:
    deployment = await systems.cluster.deployment("order-service")
    assert deployment.cluster == f"127.0.0.1:{kube.port}/users/{USER}"
    assert deployment.namespace == DEFAULT_NAMESPACE
