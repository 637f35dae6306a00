"""Finds the end of one JSON value in a text that is still growing."""

import re

_MARKS = re.compile(r'["\\{}\[\]]')


class JsonScan:
    """Looks at every character once. `start` is where the value begins, white space before it skipped.

    `depth`: how many objects and arrays are open at `start`; the end of the outermost of them is looked for.
    """

    def __init__(self, start: int, depth: int = 0):
        self.start = start
        self._place = start
        self._depth = depth
        self._is_in_string = False

    def advance(self, text: str) -> int | None:
        """Where the value ends in `text`, None while it does not; at once where no object or array begins."""
        if self._depth == 0:
            self.start = self._place = len(text) - len(text[self.start :].lstrip())
            if self.start == len(text):
                return None
            if text[self.start] not in "{[":
                return self.start
        while mark := _MARKS.search(text, self._place):
            if mark.group() == "\\" and mark.end() == len(text):  # what is escaped has not come yet
                self._place = mark.start()
                return None
            self._place = mark.end()
            self._take(mark.group())
            if self._depth == 0:
                return self._place
        self._place = len(text)
        return None

    def forget(self, length: int) -> None:
        """The first `length` characters of the text are taken away; they have been looked at."""
        self.start = max(0, self.start - length)
        self._place -= length

    @property
    def looked_at(self) -> int:
        """How many characters of the text have been looked at."""
        return self._place

    def _take(self, mark: str) -> None:
        if mark == '"':
            self._is_in_string = not self._is_in_string
        elif mark == "\\":
            self._place += self._is_in_string
        elif not self._is_in_string:
            self._depth += 1 if mark in "{[" else -1
