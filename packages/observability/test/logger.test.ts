import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLogger, isObservabilityError, type LoggerOptions, logFields, Secret } from '../src/index.ts'
import { collectLines } from './lines.ts'

const clock = { now: () => 1_700_000_000.5 }
function make(options: LoggerOptions = {}) {
  const collected = collectLines()
  return { ...collected, logger: createLogger({ destination: collected.destination, clock, ...options }) }
}

describe('createLogger', () => {
  it('writes one line of JSON with level, time, base fields, fields and message', () => {
    const { logger, text } = make({ base: { service: 'token-service' } })
    logger.child({ ring: 'tokens' }).info('key activated', { kid: 'k1', at: 5, waiting_for: new Set(['a']) })
    expect(text()).toBe(
      '{"level":"info","time":"2023-11-14T22:13:20.500Z","service":"token-service","ring":"tokens","kid":"k1","at":5,"waiting_for":["a"],"msg":"key activated"}\n',
    )
  })

  it('drops every field that is not on the list, and says how many', () => {
    const { logger, lines } = make()
    const fields = {
      kid: 'k1',
      Kid: 'x',
      password: 'hunter22',
      headers: { authorization: 'Basic YTpi' },
      __proto__: null,
    }
    logger.info('x', fields)
    expect(lines()).toEqual([expect.objectContaining({ kid: 'k1', dropped_fields: 3 })])
    expect(JSON.stringify(lines())).not.toMatch(/hunter|headers|password/)
  })

  it('drops values of another kind', () => {
    const { logger, lines } = make()
    const wrong = {
      kid: { toString: () => 'x' },
      port: '80',
      scopes: 'a b',
      url: { href: 'http://a' },
      count: Number.NaN,
    }
    logger.info('x', wrong as never)
    expect(lines()[0]).toMatchObject({ dropped_fields: 5 })
  })

  it('lets nothing out of nested, inherited, symbol, getter or toJSON members', () => {
    const { logger, text } = make()
    class Hostile {
      get subject(): string {
        throw new Error('hunter22')
      }
    }
    const hostile = Object.assign(new Hostile(), { toJSON: () => 'hunter22', [Symbol('kid')]: 'hunter22' })
    logger.info('x', hostile)
    logger.info('x', Object.create({ kid: 'hunter22' }))
    logger.info('x', { kid: 'fine', actor: new String('hunter22') } as never)
    expect(text()).not.toContain('hunter22')
    expect(text().split('\n')).toHaveLength(4)
  })

  it('adds further fields when told to, in their kinds', () => {
    const collected = collectLines()
    const logger = createLogger({
      destination: collected.destination,
      fields: { consumers: 'number', ready: 'boolean' },
    })
    logger.info('x', { consumers: 5, ready: true })
    expect(collected.lines()[0]).toMatchObject({ consumers: 5, ready: true })
    // @ts-expect-error a field that was not added does not compile
    logger.info('x', { other: 1 })
  })

  it.each([['kid'], ['level'], ['msg'], ['time'], ['Upper'], ['__proto__'], ['a b']])(
    'refuses %s as a new field',
    (name) => {
      const fields = JSON.parse(`{${JSON.stringify(name)}:"text"}`)
      expect(() => createLogger({ fields })).toThrow(expect.objectContaining({ code: 'invalid_options' }))
    },
  )

  it('refuses an unknown level', () => {
    const error = (() => {
      try {
        return createLogger({ level: 'verbose' as never })
      } catch (thrown) {
        return thrown
      }
    })()
    expect(isObservabilityError(error) && error.remedy).toContain('option')
  })

  it('writes no line under its level', () => {
    const { logger, text } = make({ level: 'warn' })
    logger.info('x')
    expect([text(), logger.isEnabled('info'), logger.isEnabled('error')]).toEqual(['', false, true])
    const silent = make({ level: 'silent' })
    silent.logger.fatal('x')
    expect(silent.text()).toBe('')
  })

  it('bounds every value', () => {
    const { logger, lines } = make()
    logger.info('m'.repeat(9_999), {
      subject: 's'.repeat(9_999),
      scopes: Array.from({ length: 999 }, () => 'x'.repeat(999)),
      url: `https://a.example/${'p'.repeat(9_999)}`,
      error: new Error('e'.repeat(99_999)),
    })
    const [line = {}] = lines()
    expect(line.msg).toHaveLength(1024)
    expect(line.subject).toHaveLength(256)
    expect(line.scopes).toHaveLength(32)
    expect(line.url).toHaveLength(256)
    expect(JSON.stringify(line).length).toBeLessThan(9_000)
  })

  it('shows of an URL where it is, not what it carries', () => {
    const { logger, lines } = make()
    logger.info('x', { url: 'https://ada:hunter22@a.example:8443/cb?code=hunter22#token=hunter22' })
    logger.info('x', { url: '/cb?code=hunter22' })
    expect(lines().map((line) => line.url)).toEqual(['https://a.example:8443/cb', '/cb'])
  })

  it('does not let a value forge a line', () => {
    const { logger, text, lines } = make()
    const forged = 'x\n{"level":"info","msg":"forged"}\r\n\u2028\u0085\u001b[2K'
    logger.info(forged, { subject: forged, scopes: [forged], error: new Error(forged) })
    expect(text().split('\n')).toHaveLength(2)
    for (const character of '\r\u2028\u0085\u001b') expect(text()).not.toContain(character)
    expect(lines()[0]).toMatchObject({ msg: forged, subject: forged })
  })

  it('takes secrets out of messages, values and errors', () => {
    const { logger, text } = make({ secretPrefixes: ['ghp_'] })
    logger.info(`client cs_secret_${'a'.repeat(43)}`, {
      subject: `ghp_${'b'.repeat(36)}`,
      error: new Error('sent Authorization: Bearer cccccccccccccccc', { cause: new Error('password=dddddddd') }),
    })
    expect(text()).not.toMatch(/a{8}|b{8}|c{8}|d{8}/)
  })

  it('prints a Secret as such', () => {
    const { logger, lines } = make()
    logger.info('x', { subject: new Secret('hunter22'), actor: new Secret({ a: 'hunter22' }) })
    expect(lines()[0]).toMatchObject({ subject: '[secret]', actor: '[secret]' })
  })

  describe('errors', () => {
    class StoreError extends Error {
      override readonly name = 'StoreError'
      readonly code = 'busy'
      readonly config = { password: 'hunter22' }
      readonly request = { headers: { authorization: 'Basic aHVudGVyMjI=' } }
    }
    it('keep class, code, message and causes, and no other member', () => {
      const { logger, lines } = make()
      logger.error('x', { error: new StoreError('no', { cause: new TypeError('bad', { cause: 'told' }) }) })
      expect(lines()[0]?.error).toEqual({
        class: 'StoreError',
        code: 'busy',
        message: 'no',
        cause: { class: 'TypeError', message: 'bad', cause: { class: 'string', message: 'told' } },
      })
    })
    it('have their frames at debug only', () => {
      const { logger, lines } = make({ level: 'debug' })
      logger.error('x', { error: new Error('line one\n    at hunter22') })
      const stack = (lines()[0]?.error as { stack: string[] } | undefined)?.stack ?? []
      expect(stack.length).toBeGreaterThan(1)
      expect(stack.every((frame) => frame.startsWith('at '))).toBe(true)
    })
    it('end at the fourth cause, also in a circle', () => {
      const { logger, lines } = make()
      const error = new Error('round')
      error.cause = error
      logger.error('x', { error })
      expect(JSON.stringify(lines()[0]?.error).match(/round/g)).toHaveLength(5)
    })
    it('show the first of many', () => {
      const { logger, lines } = make()
      logger.error('x', {
        error: new AggregateError(
          [1, 2, 3, 4, 5].map((n) => new Error(`e${n}`)),
          'all',
        ),
      })
      expect(lines()[0]?.error).toMatchObject({ class: 'AggregateError', errors: [{ message: 'e1' }, {}, {}, {}] })
    })
    it.each([[undefined], [null], [42], [Symbol('x')], [{}], [{ message: 5, code: {}, name: 'a\nb' }], [() => 1]])(
      'may be anything: %s',
      (thrown) => {
        const { logger, lines } = make()
        logger.error('x', { error: thrown })
        expect(lines()).toHaveLength(1)
      },
    )
    it('may have members that throw', () => {
      const { logger, lines } = make()
      const error = new Proxy(new Error('x'), {
        get: () => {
          throw new Error('trap')
        },
      })
      logger.error('x', { error })
      expect(lines()[0]?.error).toEqual({ class: 'Error', message: 'not an error' })
    })
  })

  it('never throws and always writes one parsable line', () => {
    const { logger, lines, text } = make()
    const name = fc.oneof(fc.constantFrom(...Object.keys(logFields)), fc.string())
    let count = 0
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.dictionary(name, fc.anything()), (message, fields) => {
        logger.info(message, fields)
        count += 1
      }),
      { numRuns: 1000 },
    )
    expect(lines()).toHaveLength(count)
    expect(text()).not.toMatch(/[\u2028\u2029\u0085]/)
  })

  it('writes to standard output unless told otherwise', async () => {
    const script = `import { createLogger } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}
      createLogger().info('hello'); createLogger().fatal('bye'); process.exit(0)`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
    expect(stdout.split('\n').map((line) => line && JSON.parse(line).msg)).toEqual(['hello', 'bye', ''])
  })
})
