import { cleanText } from './clean-text.ts'

export type Tone = 'plain' | 'good' | 'warning' | 'bad' | 'faint' | 'strong'

export type Cell = string | { readonly text: string; readonly tone: Tone }

const codes: Readonly<Record<Exclude<Tone, 'plain'>, readonly [number, number]>> = {
  good: [32, 39],
  warning: [33, 39],
  bad: [31, 39],
  faint: [2, 22],
  strong: [1, 22],
}

/** Wraps already clean text in a tone; the identity when colours are off. */
export function paint(text: string, tone: Tone, colours: boolean): string {
  if (!colours || tone === 'plain') return text
  const [on, off] = codes[tone]
  return `\u001b[${on}m${text}\u001b[${off}m`
}

const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u
const combining = /\p{Mark}/u

/** Columns that a clean text takes on a terminal. */
export function textWidth(text: string): number {
  let width = 0
  for (const character of text) width += combining.test(character) ? 0 : wide.test(character) ? 2 : 1
  return width
}

/**
 * Aligned columns, two spaces apart, no trailing spaces. Cells are cleaned here, so that a stored name cannot move
 * the cursor. An empty cell shows as `-`.
 */
export function renderTable(head: readonly string[], rows: readonly (readonly Cell[])[], colours: boolean): string[] {
  const all = [head.map((text): Cell => ({ text: text.toUpperCase(), tone: 'strong' })), ...rows]
  const cleaned = all.map((row) =>
    row.map((cell) => {
      const { text, tone } = typeof cell === 'string' ? { text: cell, tone: 'plain' as const } : cell
      return { text: cleanText(text) || '-', tone }
    }),
  )
  const widths = head.map((_, column) => Math.max(...cleaned.map((row) => textWidth(row[column]?.text ?? ''))))
  return cleaned.map((row) =>
    row
      .map(({ text, tone }, column) => {
        const gap = column === row.length - 1 ? 0 : (widths[column] ?? 0) - textWidth(text)
        return paint(text, tone, colours) + ' '.repeat(gap)
      })
      .join('  '),
  )
}

/** Labels and values, the values aligned. */
export function renderFields(fields: readonly (readonly [label: string, value: Cell])[], colours: boolean): string[] {
  const width = Math.max(0, ...fields.map(([label]) => textWidth(label)))
  return fields.map(([label, value]) => {
    const { text, tone } = typeof value === 'string' ? { text: value, tone: 'plain' as const } : value
    const gap = ' '.repeat(width - textWidth(label))
    return `${label}${gap}  ${paint(cleanText(text) || '-', tone, colours)}`
  })
}
