import { describe, expect, it } from 'vitest'
import { commandEnvironment } from '../src/commands/environment.ts'
import { readConfig } from '../src/index.ts'
import { isLoopback, ownNames } from '../src/own-names.ts'

const tls = { CMUX_TLS_CERT: 'cert.pem', CMUX_TLS_KEY: 'key.pem' }

const refused: readonly (readonly [why: string, variables: Record<string, string>, line: RegExp])[] = [
  [
    'another machine could reach it without TLS',
    { CMUX_HOST: '192.0.2.1' },
    /^CMUX_HOST: 192\.0\.2\.1 can be reached.*TLS/,
  ],
  [
    'another machine could reach it without TLS, whatever stands before it',
    { CMUX_HOST: '0.0.0.0', CMUX_PUBLIC_URL: 'https://cmux.example.com' },
    /^CMUX_HOST: .*TLS/,
  ],
  ['IPv6 too', { CMUX_HOST: '::' }, /^CMUX_HOST: .*TLS/],
  ['an IPv4 address in IPv6 clothes', { CMUX_HOST: '::ffff:192.0.2.1' }, /^CMUX_HOST: .*TLS/],
  ['a name that may lead anywhere', { CMUX_HOST: 'workstation' }, /^CMUX_HOST: expected an IP address/],
  ['half a certificate', { CMUX_TLS_CERT: 'cert.pem' }, /^CMUX_TLS_CERT: /],
  ['the other half', { CMUX_TLS_KEY: 'key.pem' }, /^CMUX_TLS_CERT: /],
  ['every address and no name', { CMUX_HOST: '0.0.0.0', ...tls }, /^CMUX_PUBLIC_URL: expected/],
  ['plain http elsewhere', { CMUX_PUBLIC_URL: 'http://cmux.example.com' }, /^CMUX_PUBLIC_URL: expected https/],
  ['a path', { CMUX_PUBLIC_URL: 'https://example.com/cmux' }, /^CMUX_PUBLIC_URL: /],
  ['a trailing slash', { CMUX_PUBLIC_URL: 'https://example.com/' }, /^CMUX_PUBLIC_URL: /],
  ['no URL', { CMUX_PUBLIC_URL: 'cmux' }, /^CMUX_PUBLIC_URL: /],
  ['no port', { CMUX_PORT: '65536' }, /^CMUX_PORT: expected 0 to 65535/],
  ['no number', { CMUX_COMMAND_SECONDS: '1.5' }, /^CMUX_COMMAND_SECONDS: expected a whole number/],
  ['no time', { CMUX_COMMAND_SECONDS: '0' }, /^CMUX_COMMAND_SECONDS: expected 1 to 86400/],
  ['no names', { CMUX_COMMAND_ENV: 'A B' }, /^CMUX_COMMAND_ENV: /],
  ['no level', { CMUX_LOG_LEVEL: 'loud' }, /^CMUX_LOG_LEVEL: /],
]

describe('the configuration', () => {
  it.each(refused)('is refused for %s', (_why, variables, line) => {
    expect(() => readConfig(variables)).toThrow(
      expect.objectContaining({ lines: expect.arrayContaining([expect.stringMatching(line)]) }),
    )
  })

  it('is for this machine only unless it says otherwise', () => {
    expect(readConfig({ CMUX_HOST: '' })).toMatchObject({ host: '127.0.0.1', port: 4620, proxyHops: 0, tls: undefined })
    expect(readConfig({ CMUX_HOST: 'localhost' }).host).toBe('127.0.0.1')
    expect(readConfig({ CMUX_HOST: '::1' }).host).toBe('::1')
  })

  it('takes another machine in with a certificate, or by a proxy on this machine that ends TLS', () => {
    const direct = readConfig({ CMUX_HOST: '0.0.0.0', CMUX_PUBLIC_URL: 'https://cmux.example.com:8443', ...tls })
    expect(direct).toMatchObject({ proxyHops: 0, tls: { certFile: expect.stringMatching(/^\/.*cert\.pem$/) } })
    expect(readConfig({ CMUX_PUBLIC_URL: 'https://cmux.example.com' }).proxyHops).toBe(1)
    expect(readConfig({ CMUX_PUBLIC_URL: 'http://localhost:4620' }).proxyHops).toBe(0)
  })

  it('gives commands a short list of variables, and never its own', () => {
    const variables = {
      PATH: '/bin',
      LC_ALL: 'C',
      AWS_SECRET_ACCESS_KEY: 'x',
      EDITOR: 'vi',
      CMUX_AUTH_PASSWORD: 'x',
      CMUX_PORT: '1',
      COUNTERSIGN_KEK_FILE: 'x',
    }
    const names = ['EDITOR', 'CMUX_AUTH_PASSWORD', 'COUNTERSIGN_KEK_FILE']
    expect(commandEnvironment(variables, names)).toEqual({
      PATH: '/bin',
      LC_ALL: 'C',
      EDITOR: 'vi',
      TERM: 'dumb',
      NO_COLOR: '1',
    })
    const { commandEnvironment: read } = readConfig({ ...variables, CMUX_COMMAND_ENV: 'EDITOR,CMUX_AUTH_PASSWORD' })
    expect(read).toEqual(commandEnvironment(variables, ['EDITOR']))
  })
})

describe('its own names', () => {
  it('are those of loopback at its port, and its public one', () => {
    const { hosts, origins } = ownNames('https://cmux.example.com', { url: 'http://127.0.0.1:4620', isLoopback: true })
    expect([...hosts]).toEqual(['cmux.example.com', '127.0.0.1:4620', 'localhost:4620', '[::1]:4620'])
    expect(origins).toEqual([
      'https://cmux.example.com',
      'http://127.0.0.1:4620',
      'http://localhost:4620',
      'http://[::1]:4620',
    ])
  })

  it('do not include loopback where other machines come in', () => {
    const { hosts } = ownNames('https://192.0.2.1:8443', { url: 'https://192.0.2.1:8443', isLoopback: false })
    expect([...hosts]).toEqual(['192.0.2.1:8443'])
  })

  it.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['[::1]', true],
    ['localhost', true],
    ['128.0.0.1', false],
    ['0.0.0.0', false],
    ['::', false],
    ['::ffff:127.0.0.1', false],
    ['localhost.example.com', false],
  ])('know whether %s is loopback: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected)
  })
})
