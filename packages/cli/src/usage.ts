import { type Command, InvalidArgumentError } from 'commander'

/** Adds examples to a command's help. */
export function examples(command: Command, all: readonly (readonly [line: string, what: string])[]): Command {
  const width = Math.max(...all.map(([line]) => line.length))
  const lines = all.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`.trimEnd())
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

/** Parses an option that may be given several times; each value may hold several, separated by spaces or commas. */
export function many(value: string, previous: readonly string[] | undefined): string[] {
  const values = value.split(/[\s,]+/u).filter((part) => part !== '')
  if (values.length === 0) throw new InvalidArgumentError('It is empty.')
  return [...(previous ?? []), ...values]
}

const secondsOf: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 }

/** Parses `24h`, `90m`, `30s`, `7d` or a number of seconds, up to a bound. */
export function duration(mostSeconds: number): (value: string) => number {
  return (value) => {
    const [, number = '', unit = ''] = /^(\d{1,9})([smhd]?)$/u.exec(value) ?? []
    const seconds = number === '' ? Number.NaN : Number(number) * (secondsOf[unit] ?? Number.NaN)
    if (!(seconds <= mostSeconds)) {
      throw new InvalidArgumentError(`It must be a time such as 24h, 90m or 0, at most ${mostSeconds} s.`)
    }
    return seconds
  }
}

/** Parses a whole number between two bounds. */
export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = /^\d{1,9}$/u.test(value) ? Number(value) : Number.NaN
    if (!(number >= least && number <= most)) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
    }
    return number
  }
}
