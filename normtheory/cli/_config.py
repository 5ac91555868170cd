"""Read a configuration: TOML, overrides, and errors that name the key and what was allowed."""

from __future__ import annotations

import contextlib
import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from normtheory._command import LARGEST, NO_MEMORY, reason
from normtheory._files import refuse_pointer
from normtheory._text import quoted, shown

Table = dict[str, Any]


class ConfigError(ValueError):
    """A configuration that can't be run; the message, one line, names the key."""


def read(path: Path) -> Table:
    """Parse a TOML file; a byte order mark before it is passed over.

    Raises:
        ConfigError: no such file, a pointer to one, or not TOML; the line is named.
    """
    try:
        refuse_pointer(path)
        return _parsed(path.read_text(encoding="utf-8-sig"), str(path))
    except OSError as error:
        raise ConfigError(reason(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{shown(path)}: {error}") from None
    except ConfigError:
        raise
    except ValueError as error:  # a pointer to the file
        raise ConfigError(str(error)) from None


def _parsed(text: str, name: str) -> Table:
    """What TOML says; ConfigError, which begins with a name, where Python gives up on it."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ConfigError(f"{shown(name)}: nested too deeply") from None
    except ValueError:
        raise ConfigError(f"{shown(name)}: expected {_INTEGER}, got thousands of digits") from None


_INTEGER = "an integer of 64 bits"
_DEEPEST = 8  # tables and lists in each other; clouds.0.norm.low is the deepest there is


def check_size(config: Table) -> None:
    """Refuse what TOML doesn't have and Python does: integers of more than 64 bits.

    Raises:
        ConfigError: such an integer; more tables in each other than there are keys for.
    """
    parts: list[tuple[str, Any, int]] = [("", config, 0)]
    while parts:
        key, value, depth = parts.pop()
        if depth > _DEEPEST:
            raise ConfigError(f"{shown(key[1:])}: nested too deeply")
        if isinstance(value, int) and not -LARGEST - 1 <= value <= LARGEST:
            raise ConfigError(
                f"{shown(key[1:])}: expected {_INTEGER}, got one of {value.bit_length()}"
            )
        if isinstance(value, dict | list):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            parts += [(f"{key}.{name}", part, depth + 1) for name, part in inner]


def override(config: Table, setting: str) -> None:
    """Apply ``key=value``, in place: ``run.max_steps=10``, ``clouds.0.norm=2.5``.

    The value is TOML; a bare word is text.

    Raises:
        ConfigError: no ``=``, or a key below something that is no table.
    """
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {shown(setting)}: expected KEY=VALUE, such as run.max_steps=1000")
    try:
        value = _parsed(f"value = {text.strip()}", f"--set {key}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *path, last = key.strip().split(".")
    at: Any = config
    for name in path:
        at = at.setdefault(name, {}) if isinstance(at, dict) else _entry(at, name, key)
    if isinstance(at, dict):
        at[last] = value
    else:
        _entry(at, last, key)
        at[int(last)] = value


def _entry(at: Any, name: str, key: str) -> Any:
    if not isinstance(at, list):
        raise ConfigError(f"--set {shown(key)}: there is no table to set {shown(name)} in")
    if not name.isdecimal() or len(name) > len(str(len(at))) or int(name) >= len(at):
        raise ConfigError(
            f"--set {shown(key)}: expected a place below {len(at)}, got {quoted(name)}"
        )
    return at[int(name)]


def unknown(key: str, allowed: Iterable[str]) -> ConfigError:
    """The error for a key, or word, that there is not: with what is close, and what there is."""
    allowed = list(allowed)
    name = key.rpartition(".")[2]
    close = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}? " if close else ""
    return ConfigError(f"{shown(key)}: no such key; {hint}allowed: {', '.join(allowed)}")


def choice(key: str, value: Any, allowed: Iterable[str]) -> str:
    """A word out of several.

    Raises:
        ConfigError: another one.
    """
    allowed = list(allowed)
    if isinstance(value, str) and value in allowed:
        return value
    close = difflib.get_close_matches(str(value), allowed, n=1, cutoff=0.5)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise ConfigError(f"{key}: expected one of {', '.join(allowed)}; got {quoted(value)}{hint}")


def table(config: Mapping[str, Any], name: str, kinds: Mapping[str, str]) -> Table:
    """A section of a configuration, its keys and the kinds of its values checked.

    Args:
        config: the whole.
        name: of the section; it may be absent.
        kinds: name of every key and the kind of its value; see :data:`KINDS`.

    Raises:
        ConfigError: the section is no table; a key that there is not; a value of another kind.
    """
    found = config.get(name, {})
    if not isinstance(found, dict):
        raise ConfigError(f"{name}: expected a table [{name}], got {quoted(found)}")
    return checked(found, name, kinds)


def checked(found: Mapping[str, Any], name: str, kinds: Mapping[str, str]) -> Table:
    """Check the keys of a table and the kinds of its values; a number is a float from here on."""
    for key, value in found.items():
        if key not in kinds:
            raise unknown(f"{name}.{key}", kinds)
        kind = kinds[key]
        several = [kind] if kind in KINDS else kind.split(" or ")
        if not any(KINDS[one](value) for one in several):
            raise ConfigError(f"{name}.{key}: expected {kind}, got {quoted(value)}")
    return {key: float(x) if kinds[key] == "a number" else x for key, x in found.items()}


def _number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def _integer(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool)


KINDS = {
    "a number": _number,
    "an integer": _integer,
    "a word": lambda x: isinstance(x, str),
    "true or false": lambda x: isinstance(x, bool),
    "a list of numbers": lambda x: isinstance(x, list) and all(map(_number, x)),
    "a list of integers": lambda x: isinstance(x, list) and all(map(_integer, x)),
    "a list of words": lambda x: isinstance(x, list) and all(isinstance(y, str) for y in x),
    "a table": lambda x: isinstance(x, dict),
}
"""What a value may be, in the words of the error."""


@contextlib.contextmanager
def section(name: str, keys: Iterable[str] = ()) -> Iterator[None]:
    """Put the name of a section before what the library says about a value in it.

    Args:
        name: of the section; "" where the messages name it themselves.
        keys: of the section; a message that begins with one is about it.

    Raises:
        ConfigError: for a TypeError or ValueError inside, and for what is too large for a float or
            for the memory.
    """
    try:
        yield
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        message = " ".join(str(error).split())
        joint = "." if message.partition(":")[0] in keys else ": "
        raise ConfigError(f"{name}{joint}{message}" if name else message) from None
    except OverflowError:
        raise ConfigError(f"{name}: a number in it is too large to compute with") from None
    except MemoryError:
        raise ConfigError(f"{name}: {NO_MEMORY}") from None
