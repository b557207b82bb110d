import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLogger, Secret } from '../src/index.ts'
import { createCanary } from '../src/testing.ts'
import { collectLines } from './lines.ts'

const secret = 'p@ss wörd/+"quoted"&x=1;long enough'
const bytes = Buffer.from(secret)

describe('the canary', () => {
  const disguises: [form: string, output: unknown][] = [
    ['plain', `a line with ${secret}`],
    ['plain', new Error(`failed: ${secret}`)],
    ['plain', new Error('outer', { cause: new Error(secret) })],
    ['plain', { deep: [{ er: new Map([['k', new Set([secret])]]) }] }],
    ['plain', Object.defineProperty({}, 'hidden', { value: secret })],
    ['JSON', JSON.stringify({ secret })],
    ['base64', bytes.toString('base64')],
    ['base64', Buffer.from(`client:${secret}`).toString('base64')],
    ['base64', Buffer.from(`a:${secret}:b`).toString('base64')],
    ['base64url', Buffer.from(`{"x":"${secret}"}`).toString('base64url')],
    ['hex', bytes.toString('hex').toUpperCase()],
    ['URL', `https://a.example/?q=${encodeURIComponent(secret)}`],
    ['URL', new URLSearchParams({ q: secret }).toString().toLowerCase()],
    ['reversed', [...secret].reverse().join('')],
    ['fragment', `…${secret.slice(9)}`],
  ]
  it.each(disguises)('finds a secret in the form %s', (form, output) => {
    const canary = createCanary()
    canary.plant('password', secret)
    canary.see('there', output)
    expect(canary.leaks()).toContainEqual({ secret: 'password', where: 'there', form })
  })

  it('finds it in base64 whatever surrounds it', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string({ minLength: 8 }), fc.uint8Array(), (before, value, after) => {
        const canary = createCanary()
        canary.plant('x', value)
        const text = Buffer.concat([before, Buffer.from(value), after])
        canary.see('base64', text.toString('base64'))
        canary.see('base64url', text.toString('base64url'))
        const found = canary.leaks().map((leak) => `${leak.where} ${leak.form}`)
        expect(found).toContain('base64 base64')
        expect(found).toContain('base64url base64url')
      }),
    )
  })

  it('tells of secrets planted later, once each, without telling them', () => {
    const canary = createCanary()
    canary.see('log', `${secret} ${secret}`)
    expect(canary.leaks()).toEqual([])
    canary.plant('password', secret)
    const leaks = canary.leaks().filter((leak) => leak.form === 'plain')
    expect(leaks).toEqual([{ secret: 'password', where: 'log', form: 'plain' }])
    expect(JSON.stringify(canary.leaks())).not.toContain(secret)
  })

  it('is quiet about a Secret, and about what a logger made of it', () => {
    const canary = createCanary()
    canary.plant('password', secret)
    const { destination, text } = collectLines()
    const logger = createLogger({ level: 'debug', destination })
    logger.info('x', { subject: new Secret(secret), password: secret } as never)
    canary.see('log', text())
    canary.see('object', { password: new Secret(secret) })
    canary.see('error', new Error(`no ${new Secret(secret)}`))
    expect(canary.leaks()).toEqual([])
  })

  it('refuses a secret that chance would find', () => {
    expect(() => createCanary().plant('pin', '1234567')).toThrow(RangeError)
  })
})
