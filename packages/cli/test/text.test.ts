import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cleanJson, cleanLines, cleanText } from '../src/clean-text.ts'
import { coloursFor } from '../src/output.ts'
import { renderFields, renderTable, textWidth } from '../src/table.ts'
import { age, fromNow, instant, wait } from '../src/times.ts'

describe('cleaning', () => {
  const acting: [what: string, text: string, shown: string][] = [
    ['an escape sequence', 'a\u001b[2Jb', 'a\\u{1b}[2Jb'],
    ['a C1 control sequence introducer', 'a\u009b31mb', 'a\\u{9b}31mb'],
    ['a line break', 'a\nb', 'a\\u{a}b'],
    ['a right-to-left override', 'a\u202egnp', 'a\\u{202e}gnp'],
    ['an isolate', 'a\u2066b', 'a\\u{2066}b'],
    ['a zero-width space', 'ad\u200bmin', 'ad\\u{200b}min'],
    ['a bell', 'a\u0007', 'a\\u{7}'],
    ['a half of a surrogate pair', 'a\ud800', 'a\ufffd'],
    ['nothing that acts', 'Ada Löve 田中 🙂', 'Ada Löve 田中 🙂'],
  ]
  it.each(acting)('shows %s', (_what, text, shown) => {
    expect(cleanText(text)).toBe(shown)
  })

  it('leaves no control character of any text on the page', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(cleanText(text)).toMatch(/^[^\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]*$/u)
      }),
    )
  })

  it('prints JSON without raw controls that parses to the same value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const printed = cleanJson({ text })
        expect(printed.replaceAll('\n', '')).toMatch(/^[^\p{Cc}\u2028-\u202e\u2066-\u2069]*$/u)
        expect(JSON.parse(printed)).toEqual({ text })
      }),
    )
  })

  it('keeps the lines of a document', () => {
    expect(cleanLines('a\r\nb\u001bc\n')).toBe('a\nb\\u{1b}c\n')
  })
})

describe('tables', () => {
  it('aligns columns by what a terminal shows', () => {
    expect(
      renderTable(
        ['name', 'x'],
        [
          ['田中', '1'],
          ['e\u0301te', '2'],
          ['', '3'],
        ],
        false,
      ),
    ).toEqual(['NAME  X', '田中  1', 'e\u0301te   2', '-     3'])
    expect(textWidth('🙂a')).toBe(3)
  })

  it('colours a tone and nothing else', () => {
    expect(renderTable(['a'], [[{ text: 'x\u001b[0m', tone: 'bad' }]], true)).toEqual([
      '\u001b[1mA\u001b[22m',
      '\u001b[31mx\\u{1b}[0m\u001b[39m',
    ])
  })

  it('aligns fields', () => {
    expect(
      renderFields(
        [
          ['id', 'x'],
          ['secret', ''],
        ],
        false,
      ),
    ).toEqual(['id      x', 'secret  -'])
  })

  const colours: [why: string, isTTY: boolean, env: Record<string, string>, expected: boolean][] = [
    ['a terminal', true, {}, true],
    ['a pipe', false, {}, false],
    ['NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR, which says nothing', true, { NO_COLOR: '' }, true],
    ['a dumb terminal', true, { TERM: 'dumb' }, false],
  ]
  it.each(colours)('decides on colours for %s', (_why, isTTY, env, expected) => {
    expect(coloursFor({ isTTY }, env)).toBe(expected)
  })
})

describe('times', () => {
  const waits: [seconds: number, text: string][] = [
    [0, '0 s'],
    [0.2, '1 s'],
    [59, '59 s'],
    [119, '119 s'],
    [120, '2 min'],
    [3_720, '62 min'],
    [3_750, '62 min 30 s'],
    [7_199, '119 min 59 s'],
    [7_200, '2 h'],
    [172_799, '48 h'],
    [172_800, '2 d'],
    [-5, '0 s'],
  ]
  it.each(waits)('says a wait of %d seconds as %s', (seconds, text) => {
    expect(wait(seconds)).toBe(text)
  })

  it('says an age by what has passed', () => {
    expect([age(0.9), age(119), age(86_400 * 3 - 1)]).toEqual(['0 s', '119 s', '2 d'])
  })

  it('says when, from now', () => {
    expect(fromNow(1_000_060, 1_000_000)).toBe('in 60 s')
    expect(fromNow(1_000_000.4, 1_000_000)).toBe('now')
    expect(fromNow(0, 300_000)).toBe('3 d ago')
  })

  it('says an instant, and a number that is none', () => {
    expect(instant(0)).toBe('1970-01-01 00:00:00Z')
    expect(instant(null)).toBe('-')
    expect(instant(1e300)).toBe('1e+300 s')
  })
})
