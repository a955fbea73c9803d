/** What the plots share: their colours on light and on dark pages, and pieces of SVG. */

/** Of a whole file; `s0` … `s5` are series, `page` is what lies below everything. */
export const plotStyle = `
  text { font: 12px system-ui, sans-serif; fill: #3b3f46 }
  .title { font-size: 14px; font-weight: 600; fill: #16181c }
  .grid { stroke: #d9dce1 } path { fill: none; stroke-width: 2 } circle { stroke: none }
  .s0 { stroke: #1f6fd0; fill: #1f6fd0 } .s1 { stroke: #c2570c; fill: #c2570c } .s2 { stroke: #1c8050; fill: #1c8050 }
  .s3 { stroke: #8a3ab9; fill: #8a3ab9 } .s4 { stroke: #a3741a; fill: #a3741a } .s5 { stroke: #b8325e; fill: #b8325e }
  path[class] { fill: none } text[class^="s"], rect { stroke: none } .value { font-size: 11px }
  .page { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .page { fill: #16181c }
    text { fill: #c3c8d0 } .title { fill: #f0f2f5 } .grid { stroke: #363b44 }
    .s0 { stroke: #6cadff; fill: #6cadff } .s1 { stroke: #ff9d57; fill: #ff9d57 } .s2 { stroke: #5fcf97; fill: #5fcf97 }
    .s3 { stroke: #cf94f5; fill: #cf94f5 } .s4 { stroke: #e0b458; fill: #e0b458 } .s5 { stroke: #f788ab; fill: #f788ab }
    path[class] { fill: none }
  }`;

/** A line of text with its baseline at `y`. */
export function svgText(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${tenths(x)}" y="${tenths(y)}" ${attributes}>${escaped(content)}</text>`;
}

/** As exact as a plot needs it. */
export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Of text and attributes. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
