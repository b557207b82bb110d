import type { CommandContext } from '../context.ts'
import { count } from '../count.ts'
import type { ExitCode } from '../failure.ts'
import type { Tone } from '../table.ts'
import type { Finding, Level } from './finding.ts'

const tones: Readonly<Record<Level, Tone>> = { ok: 'good', warning: 'warning', error: 'bad' }

/** Tells what was found, and what to do about it. @returns 1 when something must be put right */
export function report({ out }: Pick<CommandContext, 'out'>, findings: readonly Finding[]): ExitCode {
  const howMany = (level: Level): number => findings.filter((finding) => finding.level === level).length
  const errors = howMany('error')
  out.result({ ok: errors === 0, findings }, (page) => {
    page.table(
      ['check', 'result', 'what', 'where'],
      findings.map(({ check, level, what, where }) => [check, { text: level, tone: tones[level] }, what, where]),
      '',
    )
    for (const { level, what, remedy } of findings) {
      if (remedy === null) continue
      page.line('')
      page.line(`${level}: ${what}`, tones[level])
      page.line(`  ${remedy}`)
    }
    page.line('')
    page.line(`${count(errors, 'error')}, ${count(howMany('warning'), 'warning')}`)
  })
  return errors === 0 ? 0 : 1
}
