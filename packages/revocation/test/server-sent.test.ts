import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { writeServerSent } from '../src/index.ts'
import { ServerSentReader } from '../src/internal/server-sent-reader.ts'

const encode = (text: string) => new TextEncoder().encode(text)
const read = (text: string, maxBytes = 10_000) => new ServerSentReader(maxBytes).push(encode(text))

describe('server-sent events', () => {
  it('come out as they were written, however they are cut', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => `+${text.replace(/[\r\n]/g, '')}`)
    const message = fc.array(line, { maxLength: 4 }).map((lines) => ['head', ...lines].join('\n'))
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), fc.array(fc.nat(400)), (messages, cuts) => {
        const bytes = encode(messages.map((one) => writeServerSent(one, { epoch: 1, seq: 1 })).join(':beat\n\n'))
        const reader = new ServerSentReader(100_000)
        const found: string[] = []
        let start = 0
        for (const cut of [...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length]) {
          found.push(...reader.push(bytes.subarray(start, cut)))
          start = cut
        }
        expect(found).toEqual(messages)
      }),
    )
  })

  it.each([
    ['every line ending', 'data: a\r\ndata: b\rdata:c\n\r\n', ['a\nb\nc']],
    ['other fields and comments', ':hi\nid:1.2\nevent:x\nretry:5\ndata:a\n\n', ['a']],
    ['an empty line of data', 'data\ndata:\n\n', ['\n']],
    ['nothing without an end', 'data:a\n', []],
    ['a byte order mark', '\ufeffdata:a\n\n', ['a']],
  ])('have %s', (_what, text, events) => {
    expect(read(text)).toEqual(events)
  })

  it('may end a line across two chunks', () => {
    const reader = new ServerSentReader(100)
    expect([
      ...reader.push(encode('data:a\r')),
      ...reader.push(encode('\n\r')),
      ...reader.push(encode('\ndata:b\n\n')),
    ]).toEqual(['a', 'b'])
  })

  it('are refused when one grows too large, in one piece or in many', () => {
    const tooLarge = expect.objectContaining({ code: 'too_large' })
    expect(() => read(`data:${'x'.repeat(101)}\n\n`, 100)).toThrow(tooLarge)
    const reader = new ServerSentReader(100)
    expect(() => {
      for (let piece = 0; piece < 20; piece++) reader.push(encode('data:xxxxx\n'))
    }).toThrow(tooLarge)
    const comments = new ServerSentReader(100)
    for (let piece = 0; piece < 50; piece++) expect(comments.push(encode(':alive\n\n'))).toEqual([])
    expect(comments.push(encode('data:a\n\n'))).toEqual(['a'])
  })
})
