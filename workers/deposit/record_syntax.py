"""Explains to a librarian why ``work.toml`` is not UTF-8 or not TOML. (pure)

The usual causes are recognised in the text: Chinese quotation marks or full-width punctuation instead of ASCII, a text
without quotes, the encoding of an editor. Every other message of Python's `tomllib` is translated.
"""

from __future__ import annotations

import re
from typing import Final

from repository.localized import LocalizedText

_POSITION: Final = re.compile(r" ?\(at (?:(line (\d+), column (\d+))|end of document)\)")
_OPENING_QUOTE: Final = re.compile(r"(?:^|[=＝:：\[［,，{])\s*([“”‘’「」『』＂《])")
_CLOSING_QUOTE: Final = re.compile(r"""["'][^"']*([”’」』＂])\s*[\],，］]*\s*(?:#.*)?$""")
_FULL_WIDTH: Final = {
    "＝": "=",
    "：": "=",
    "，": ",",
    "、": ",",
    "［": "[",
    "］": "]",
    "【": "[",
    "】": "]",
    "｛": "{",
    "｝": "}",
}
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')
_UNQUOTED: Final = re.compile(r"[=\[,]\s*([^\W\d_][^\s\]\",]*)")
_WORDS: Final = frozenset({"true", "false", "inf", "nan"})

_STRING: Final = LocalizedText("引号没有闭合；请补上后引号", "a text has no closing quote; add it")
_TWICE: Final = LocalizedText(
    "同一项或同一个表写了两次；请删去一处", "a key or table is given twice; remove one of them"
)
_BACKSLASH: Final = LocalizedText(
    r"双引号中的反斜杠 \ 须写作 \\，或改用单引号", r"a backslash in double quotes is written \\; or use single quotes"
)
_MESSAGES: Final = (
    ("Invalid statement", "这一行不成一项；每行写作“项名 = 值”", "this line is no entry; write: key = value"),
    ("Expected '=' after a key", "项名之后须是半角等号 =", "the key must be followed by ="),
    (
        "Expected newline or end of document",
        "值的后面还有多余的内容；每行只写一项，文字须加半角引号",
        "something follows the value; write one entry on a line, and texts in quotes",
    ),
    ("Unterminated string", _STRING.zh, _STRING.en),
    ('Expected "\'"', _STRING.zh, _STRING.en),
    (
        "Illegal character",
        '引号没有在本行闭合，或文字中有控制字符；多行文字请用三个引号 """',
        'a text is not closed on its line, or has a control character; write texts of several lines in """',
    ),
    ("Invalid value", "值不合规范；文字须加半角引号", "the value is not valid; write texts in quotes"),
    (
        "Unclosed array",
        "方括号 [ ] 没有闭合，或各项之间缺少半角逗号",
        "a list has no closing bracket ], or a comma is missing between its items",
    ),
    (
        "Unclosed inline table",
        "花括号 { } 没有闭合，或各项之间缺少半角逗号",
        "an inline table has no closing brace }, or a comma is missing between its entries",
    ),
    ("Cannot overwrite", _TWICE.zh, _TWICE.en),
    ("Cannot declare", _TWICE.zh, _TWICE.en),
    ("Cannot redefine", _TWICE.zh, _TWICE.en),
    ("Cannot mutate", _TWICE.zh, _TWICE.en),
    ("Duplicate inline table key", _TWICE.zh, _TWICE.en),
    ("Expected ']]'", "表名的方括号 [[ ]] 没有闭合", "the name of a table has no closing ]]"),
    ("Expected ']'", "表名的方括号 [ ] 没有闭合", "the name of a table has no closing ]"),
    (
        "Invalid initial character for a key",
        "此处应为项名；项名由字母、数字、_ 和 - 组成",
        "a key is expected here; keys are of letters, digits, _ and -",
    ),
    ("Unescaped", _BACKSLASH.zh, _BACKSLASH.en),
    ("Invalid hex value", _BACKSLASH.zh, _BACKSLASH.en),
    ("Escaped character", _BACKSLASH.zh, _BACKSLASH.en),
    (
        "Invalid date",
        '日期无效；请写作带引号的文字，如 "1590-03-15"',
        'the date is not valid; write it as a text in quotes, such as "1590-03-15"',
    ),
    ("Found invalid character", "含有不可见的控制字符；请删去", "there is an invisible control character; remove it"),
)

_ADVICE: Final = LocalizedText("请用记事本打开，选“另存为”，编码选 UTF-8", "open it in an editor and save it as UTF-8")


def encoding_problem(content: bytes) -> LocalizedText:
    """Return which encoding a file that is not UTF-8 probably has, and what to do."""
    name = _encoding(content)
    if name is None:
        return LocalizedText(f"文件不是 UTF-8 编码；{_ADVICE.zh}", f"the file is not UTF-8; {_ADVICE.en}")
    zh = f"文件是 {name} 编码，应为 UTF-8；{_ADVICE.zh}"
    return LocalizedText(zh, f"the encoding of the file is {name}, it must be UTF-8; {_ADVICE.en}")


def syntax_problem(message: str, text: str) -> tuple[str, LocalizedText]:
    """Return where and why `text` is no TOML; `message` is that of `tomllib.TOMLDecodeError`."""
    position = _POSITION.search(message)
    lines = text.split("\n")
    if position and position[1]:
        place, line = position[1], lines[int(position[2]) - 1]
    else:
        place, line = f"line {len(lines)}, column {len(lines[-1]) + 1}", lines[-1]
    return place, _usual_cause(line) or _translated(_POSITION.sub("", message).strip())


def _encoding(content: bytes) -> str | None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    try:
        content.decode("gb18030")
    except UnicodeDecodeError:
        return None
    return "GBK"


def _usual_cause(line: str) -> LocalizedText | None:
    """Return the usual mistake in a line, or None."""
    if line.lstrip().startswith("#"):
        return None
    if match := _OPENING_QUOTE.search(line) or _CLOSING_QUOTE.search(line):
        mark = match[1]
        return LocalizedText(
            f'文字两端须用英文半角引号 "，不能用 {mark}', f'texts are written in ASCII quotes ", not in {mark}'
        )
    outside = _QUOTED.sub('""', line)
    for mark, ascii_mark in _FULL_WIDTH.items():
        if mark in outside:
            return LocalizedText(f"请把全角 {mark} 改成半角 {ascii_mark}", f"write {ascii_mark} instead of {mark}")
    match = _UNQUOTED.search(outside)
    if match and "=" in outside and match[1] not in _WORDS:
        return LocalizedText(f'文字须加半角引号，如 "{match[1]}"', f'texts are written in quotes, such as "{match[1]}"')
    return None


def _translated(reason: str) -> LocalizedText:
    for beginning, zh, en in _MESSAGES:
        if reason.startswith(beginning):
            return LocalizedText(zh, en)
    return LocalizedText(f"不符合 TOML 语法：{reason}", f"the file is not valid TOML: {reason}")
