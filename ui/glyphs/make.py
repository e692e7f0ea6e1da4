"""Takes the outlines of the characters that charts need out of a TrueType font.

To run again (the outlines are committed, a build needs neither Python nor this script):
    python3 -m venv venv && venv/bin/pip install fonttools
    venv/bin/python make.py DejaVuSansCondensed.ttf > glyphs.bin
The font is DejaVu Sans Condensed 2.37; its licence stands in LICENSE, and asks that what was
modified has another name: this is called "Tollgate Chart Glyphs".

Numbers are little-endian. File: u16 units per em, u16 characters; of each, ascending: u16
character, u16 advance, u32 place of its outline behind this list. Outline: u8 contours; of each:
u8 segments, i16 x and y of its beginning; of each segment: u8 kind (0 line, 1 quadratic), and i16
x and y of its end, before which, of a quadratic, those of its control point.
"""

import struct
import sys

from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

font = TTFont(sys.argv[1])
names, glyphs = font.getBestCmap(), font.getGlyphSet()
wanted = set(range(0x20, 0x7F)) | set(range(0xA1, 0x100)) - {0xAD}
wanted |= {ord(c) for c in "–—…‘’“”„•−≤≥≈≠→←↑↓αβδεθλμπστΔΣ€∞½ŁłŒœŠšŽžČčĆćĐđĘęĄąŚśŹźŻżŐőŰűĞğİıŞş□"}
characters = sorted(c for c in wanted if c in names)

index, outlines = b"", b""
for character in characters:
    pen = DecomposingRecordingPen(glyphs)
    glyphs[names[character]].draw(pen)
    contours, current = [], None
    for kind, points in pen.value:
        if kind == "moveTo":
            current = (points[0], [])
            contours.append(current)
        elif kind == "lineTo":
            current[1].append((None, points[0]))
        elif kind == "qCurveTo":
            if points[-1] is None:
                # No point of it is on the curve: it begins between the last and the first.
                first, last = points[0], points[-2]
                begin = ((first[0] + last[0]) / 2, (first[1] + last[1]) / 2)
                current = (begin, [])
                contours.append(current)
                points = points[:-1] + (begin,)
            for at, control in enumerate(points[:-1]):
                end = points[-1]
                if at + 2 < len(points):
                    following = points[at + 1]
                    end = ((control[0] + following[0]) / 2, (control[1] + following[1]) / 2)
                current[1].append((control, end))
    index += struct.pack("<HHI", character, glyphs[names[character]].width, len(outlines))
    outlines += struct.pack("<B", len(contours))
    for begin, segments in contours:
        outlines += struct.pack("<Bhh", len(segments), *map(round, begin))
        for control, end in segments:
            if control is None:
                outlines += struct.pack("<Bhh", 0, *map(round, end))
            else:
                outlines += struct.pack("<Bhhhh", 1, *map(round, control), *map(round, end))

head = struct.pack("<HH", font["head"].unitsPerEm, len(characters))
sys.stdout.buffer.write(head + index + outlines)
