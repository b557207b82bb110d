import { format, inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Secret } from '../src/index.ts'

const value = 'correct horse battery staple'

describe('Secret', () => {
  const secret = new Secret(value)

  it('gives its value to reveal only', () => {
    expect(secret.reveal()).toBe(value)
  })

  const printed: [how: string, text: () => string][] = [
    ['String()', () => String(secret)],
    ['a template string', () => `${secret}`],
    ['concatenation', () => `x${secret as unknown as string}`],
    ['JSON.stringify', () => JSON.stringify(secret)],
    ['JSON.stringify of a parent', () => JSON.stringify({ a: [{ secret }] })],
    ['inspect', () => inspect(secret)],
    ['inspect with everything', () => inspect({ secret }, { showHidden: true, depth: 9, getters: true })],
    ['format %s %o %j %O', () => format('%s %o %j %O', secret, secret, secret, secret)],
    ['an error message', () => inspect(new Error(`no: ${secret}`))],
    ['a number', () => String(Number(secret))],
    ['a spread', () => inspect({ ...secret })],
    ['a clone', () => inspect(structuredClone(secret))],
    ['Object.entries', () => JSON.stringify([Object.entries(secret), Object.getOwnPropertyNames(secret)])],
  ]
  it.each(printed)('does not show it in %s', (_how, text) => {
    expect(text()).not.toContain('horse')
  })

  it('says that there is a secret', () => {
    expect([`${secret}`, JSON.stringify(secret), inspect(secret)]).toEqual(['[secret]', '"[secret]"', '[secret]'])
  })
})
