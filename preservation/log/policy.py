"""Whom an outsider trusts, as a file: the keys of a log and of witnesses, and who must have cosigned. (pure)

The format is C2SP tlog-policy, as ``/log/policy`` publishes it: lines ``log KEY [URL]``, ``witness NAME KEY [URL]``,
``group NAME any|all|K MEMBER...`` and ``quorum NAME``; ``none`` is the quorum that needs nobody. Members are named
before the groups that have them. The stand-alone verifier (`preservation/verifier/`) gives the same verdicts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from preservation.log import evidence
from preservation.log.evidence import VerifiedEvidence
from preservation.log.notes import VerifierKey, parse_note, parse_verifier_key
from repository.errors import EvidenceInvalid, RequestInvalid
from repository.localized import LocalizedText
from repository.whole_numbers import parse_whole_number

LONGEST_POLICY: Final = 1 << 20
"""The largest policy in bytes."""

_NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class _Group:
    """A group holds if at least `needed` of its members hold."""

    needed: int
    members: tuple[str, ...]


@dataclass(slots=True)
class TrustPolicy:
    """The keys to trust. `rules` are witnesses and groups by name, members before their groups; `quorum` names one."""

    logs: list[VerifierKey] = field(default_factory=list)
    rules: dict[str, VerifierKey | _Group] = field(default_factory=lambda: {_NONE: _Group(0, ())})
    quorum: str = ""

    @property
    def witnesses(self) -> list[VerifierKey]:
        """The keys of the witnesses."""
        return [rule for rule in self.rules.values() if isinstance(rule, VerifierKey)]

    def suffices(self, cosigners: Collection[VerifierKey]) -> bool:
        """Return whether these witnesses are a quorum."""
        holds: dict[str, bool] = {}
        for name, rule in self.rules.items():
            holds[name] = rule in cosigners if isinstance(rule, VerifierKey) else _holds(rule, holds)
        return holds[self.quorum]


def parse_policy(content: bytes) -> TrustPolicy:
    """Parse a policy. Raises `RequestInvalid`."""
    policy = TrustPolicy()
    try:
        lines = content.decode().splitlines() if len(content) <= LONGEST_POLICY else ["larger than 1 MiB"]
    except UnicodeDecodeError as fault:
        raise _malformed("UTF-8") from fault
    for line in lines:
        words = line.split()
        if words and not words[0].startswith("#"):
            _read_line(policy, words)
    if not policy.logs:
        raise _malformed("log")
    if policy.quorum not in policy.rules:
        raise _malformed(f"quorum {policy.quorum}")
    return policy


def verify_by_policy(content: bytes, policy: TrustPolicy) -> VerifiedEvidence:
    """Verify an evidence file as `evidence.verify` does, by the keys of a policy; its quorum must have cosigned.

    Raises `EvidenceInvalid`, and `RequestInvalid` for a policy without an Ed25519 key of the log.
    """
    note = parse_note(evidence.parse(content).checkpoint)
    origin = note.text.partition("\n")[0]
    keys = [key for key in policy.logs if key.name == origin] or policy.logs[:1]
    verified = evidence.verify(content, "".join(f"{key.line()}\n" for key in keys), policy.witnesses)
    found = {key for key in policy.witnesses if any(map(key.is_claimed_by, note.signatures))}
    if not policy.suffices(found):
        reason = LocalizedText(
            "联署的见证方不足，未达信任策略所定；请向藏馆索取较新的证据文件",
            "fewer witnesses cosigned the checkpoint than the policy requires; request a newer evidence file",
        )
        raise EvidenceInvalid(reason=reason)
    return verified


def _read_line(policy: TrustPolicy, words: list[str]) -> None:
    match words:
        case ["log", key, *_]:
            policy.logs.append(parse_verifier_key(key))
        case ["witness", name, key, *_] if name not in policy.rules:
            policy.rules[name] = parse_verifier_key(key)
        case ["group", name, count, *members] if name not in policy.rules and policy.rules.keys() >= set(members):
            policy.rules[name] = _Group(_needed(count, members), tuple(members))
        case ["quorum", name]:
            policy.quorum = name
        case _:
            raise _malformed(" ".join(words))


def _needed(count: str, members: list[str]) -> int:
    named = {"any": 1, "all": len(members)}.get(count, parse_whole_number(count, LONGEST_POLICY))
    if not named:
        raise _malformed(f"group {count}")
    return named


def _holds(group: _Group, holds: Mapping[str, bool]) -> bool:
    return sum(holds[member] for member in group.members) >= group.needed


def _malformed(line: str) -> RequestInvalid:
    shown = line[:100]
    return RequestInvalid(
        part=LocalizedText("信任策略", "policy"),
        reason=LocalizedText(
            f"“{shown}”有误或缺失；请向藏馆重新索取（/log/policy）",
            f'"{shown}" is malformed or missing; request it from the library again (/log/policy)',
        ),
    )
