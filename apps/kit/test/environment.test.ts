import { describe, expect, it } from 'vitest'
import { ConfigError, consumerEnvironment, readEnvironment, toStartOptions } from '../src/index.ts'

const read = (variables: Record<string, string | undefined>) =>
  toStartOptions(readEnvironment(consumerEnvironment, variables))

describe('the environment of a consumer', () => {
  it('has a default for everything', () => {
    expect(read({ PORT: '', SOMETHING: 'else' })).toEqual({
      issuer: 'http://127.0.0.1:4600',
      host: '127.0.0.1',
      logLevel: 'info',
      revocations: 'follow',
    })
  })

  it('is taken over', () => {
    const variables = {
      COUNTERSIGN_ISSUER: 'https://auth.example.com',
      HOST: '::1',
      PORT: '0',
      RESOURCE: 'https://api.example.com',
      METRICS_PORT: '9464',
      REVOCATIONS: 'off',
      COUNTERSIGN_LOG_LEVEL: 'debug',
    }
    expect(read(variables)).toEqual({
      issuer: 'https://auth.example.com',
      host: '::1',
      port: 0,
      resource: 'https://api.example.com',
      metricsPort: 9464,
      revocations: 'off',
      logLevel: 'debug',
    })
  })

  it.each([
    ['PORT', '65536'],
    ['PORT', 'x'],
    ['PORT', '-1'],
    ['COUNTERSIGN_ISSUER', 'auth'],
    ['COUNTERSIGN_ISSUER', 'ftp://auth'],
    ['RESOURCE', 'here'],
    ['METRICS_PORT', '1e3'],
    ['REVOCATIONS', 'maybe'],
    ['COUNTERSIGN_LOG_LEVEL', 'loud'],
  ])('names what is wrong, not its value: %s=%s', (name, value) => {
    expect(() => read({ [name]: `${value}` })).toThrow(ConfigError)
    try {
      read({ [name]: value })
    } catch (error) {
      expect(error).toMatchObject({ lines: [expect.stringMatching(new RegExp(`^${name}: `, 'u'))] })
    }
  })
})
