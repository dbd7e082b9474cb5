"""Text to token ids, where text of the user never becomes a control token."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
import json
import re
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

Offsets = tuple[tuple[int, int], ...]
_STAND_IN = 0xF0000
"""First of the private-use characters that stand for control tokens while text of the user is read."""
_MARKUP = re.compile(r"[<\[(|｜].*[>\])|｜]", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Encoder:
    """Encodes texts that are partly ours (control tokens count) and partly a user's (they do not)."""

    tokenizer: "PreTrainedTokenizerFast"

    def __call__(self, parts: Sequence[tuple[str, bool]]) -> tuple[tuple[int, ...], Offsets]:
        """Ids and character offsets of the joined texts; the flag of each says whether its control tokens count.

        Without control tokens in the user's text, this is the tokenizer's own reading of the whole.
        """
        text = "".join(part for part, _ in parts)
        if not any(self.control(part) for part, ours in parts if not ours):
            coded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
            return tuple(coded["input_ids"]), tuple((int(a), int(b)) for a, b in coded["offset_mapping"])
        shown = "".join(self._controls.sub(self._stand_in, part) if ours else part for part, ours in parts)
        coded = self._shadow.encode(shown, add_special_tokens=False)
        ids = tuple(self._real.get(i, i) for i in coded.ids)
        self._check(text, parts, ids, coded.offsets)
        return ids, tuple(coded.offsets)

    def control(self, text: str) -> re.Match[str] | None:
        """The first control token in a text."""
        return self._controls.search(text)

    @cached_property
    def _tokens(self) -> dict[str, int]:
        """Control tokens and their ids: what is special, and what is added and looks like markup (`<think>`)."""
        added = self.tokenizer.added_tokens_decoder
        return {t.content: i for i, t in added.items() if t.special or _MARKUP.fullmatch(t.content)}

    @cached_property
    def _controls(self) -> re.Pattern[str]:
        longest = sorted(self._tokens, key=lambda token: (-len(token), token))
        return re.compile("|".join(map(re.escape, longest)) or "(?!)")

    @cached_property
    def _stand_ins(self) -> dict[str, str]:
        """For each control token, as many characters that no text holds: offsets stay what they are."""
        return {token: chr(_STAND_IN + i) * len(token) for i, token in enumerate(self._tokens)}

    def _stand_in(self, match: re.Match[str]) -> str:
        return self._stand_ins[match[0]]

    @cached_property
    def _shadow(self) -> "Tokenizer":
        """The tokenizer, its control tokens renamed: the user's text can't spell them."""
        from tokenizers import Tokenizer

        described: dict[str, Any] = json.loads(self.tokenizer.backend_tokenizer.to_str())
        for token in described["added_tokens"]:
            token["content"] = self._stand_ins.get(token["content"], token["content"])
        described["post_processor"] = None
        described["truncation"] = described["padding"] = None
        return Tokenizer.from_str(json.dumps(described))

    @cached_property
    def _real(self) -> dict[int, int]:
        """Ids of the shadow's added tokens, which it may have numbered anew, and what they are to the model."""
        found = {}
        for real, token in self.tokenizer.added_tokens_decoder.items():
            shadow = self._shadow.token_to_id(self._stand_ins.get(token.content, token.content))
            if shadow is not None:
                found[shadow] = real
        return found

    def _check(
        self, text: str, parts: Sequence[tuple[str, bool]], ids: Sequence[int], offsets: Sequence[tuple[int, int]]
    ) -> None:
        """Raise `InputError` where the vocabulary itself, not the added tokens, spells a control token."""
        controls, at, users = {*self._tokens.values()} - {self.tokenizer.unk_token_id}, 0, []
        for part, ours in parts:
            users += [] if ours else [(at, at + len(part))]
            at += len(part)
        for i, (a, b) in zip(ids, offsets, strict=True):
            if i in controls and any(start <= a < end for start, end in users):
                raise InputError(
                    f"the tokenizer makes the control token {text[a:b]!r} of plain text of a question; take it out of "
                    "the question, or use another model"
                )
