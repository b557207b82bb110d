import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { knownVariables } from './known-variables.ts'

const folder = fileURLToPath(new URL('../systemd', import.meta.url))
const unit = join(folder, 'countersign.service')
const text = readFileSync(unit, 'utf8')

describe('the systemd unit', () => {
  it('is one, by systemd itself', () => {
    expect(execFileSync('systemd-analyze', ['verify', unit], { encoding: 'utf8', stdio: 'pipe' })).toBe('')
  })

  it('leaves the service hardly anything of the machine', () => {
    const args = ['security', '--offline=true', '--threshold=15', '--no-pager', unit]
    const said = execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: 'pipe' })
    expect(Number(/exposure level for \S+: ([\d.]+)/u.exec(said)?.[1])).toBeLessThanOrEqual(1.5)
  })

  it('sets only what the configuration knows, and takes its secret as a credential', () => {
    const variables = [...text.matchAll(/^Environment=(\w+)=/gmu)].map(([, name = '']) => name)
    expect(variables.filter((name) => name.startsWith('COUNTERSIGN_') && !knownVariables.has(name))).toEqual([])
    const credential = /^LoadCredentialEncrypted=(\w+):/mu.exec(text)?.[1]
    expect(text).toContain(`COUNTERSIGN_KEK_FILE=credential:${credential}\n`)
  })

  it('runs under an account that its other file makes', () => {
    const user = /^User=(\w+)$/mu.exec(text)?.[1]
    expect(readFileSync(join(folder, 'countersign.sysusers.conf'), 'utf8')).toMatch(new RegExp(`^u ${user} `, 'mu'))
  })
})
