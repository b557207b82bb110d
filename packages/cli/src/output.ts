import { cleanJson, cleanLines, cleanText } from './clean-text.ts'
import type { Failure } from './failure.ts'
import type { CliIo } from './io.ts'
import { type Cell, paint, renderFields, renderTable, type Tone } from './table.ts'

/** What a command writes for people. Everything that goes in is cleaned. */
export interface Page {
  line(text: string, tone?: Tone): void
  /** A document of several lines. */
  text(text: string): void
  fields(fields: readonly (readonly [label: string, value: Cell])[]): void
  /** `empty` is what to say when there are no rows. */
  table(head: readonly string[], rows: readonly (readonly Cell[])[], empty: string): void
}

/** Results on stdout, everything else on stderr. */
export interface Output {
  readonly json: boolean
  /** Whether notes are left out. */
  readonly silent: boolean
  /** Once a command: the document with `--json`, else what `write` puts on the page. */
  result(document: unknown, write: (page: Page) => void): void
  /** For people only, before the result: nothing with `--json`. */
  preview(write: (page: Page) => void): void
  /** Progress and hints, on stderr; silent with `--quiet` and `--json`. */
  note(text: string): void
  /** Something to look at, on stderr, also with `--quiet`. */
  warning(text: string): void
  failure(failure: Failure, stack: string | undefined): void
}

export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
}

/** https://no-color.org: set and not empty means no colour. Colours only ever go to a terminal. */
export function coloursFor(stream: { readonly isTTY?: boolean }, env: CliIo['env']): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
}

function pageOn(write: (text: string) => void, colours: boolean): Page {
  const lines = (all: readonly string[]): void => {
    for (const line of all) write(`${line}\n`)
  }
  return {
    line: (text, tone = 'plain') => lines([paint(cleanText(text), tone, colours)]),
    text: (text) => write(cleanLines(text)),
    fields: (fields) => lines(renderFields(fields, colours)),
    table: (head, rows, empty) => lines(rows.length === 0 ? [cleanText(empty)] : renderTable(head, rows, colours)),
  }
}

export function createOutput(io: CliIo, { json, quiet }: OutputOptions): Output {
  const colours = coloursFor(io.stdout, io.env)
  const errorColours = coloursFor(io.stderr, io.env)
  return {
    json,
    silent: quiet || json,
    result(document, write) {
      if (json) io.stdout.write(`${cleanJson(document)}\n`)
      else write(pageOn((text) => io.stdout.write(text), colours))
    },
    preview(write) {
      if (!json) write(pageOn((text) => io.stdout.write(text), colours))
    },
    note(text) {
      if (!quiet && !json) io.stderr.write(`${paint(cleanLines(text), 'faint', errorColours)}\n`)
    },
    warning(text) {
      io.stderr.write(`${paint('warning:', 'warning', errorColours)} ${cleanLines(text)}\n`)
    },
    failure({ code, message, remedy }, stack) {
      if (json) io.stdout.write(`${cleanJson({ error: { code, message, remedy: remedy ?? null } })}\n`)
      io.stderr.write(`${paint('error:', 'bad', errorColours)} ${cleanLines(message)} (${cleanText(code)})\n`)
      if (remedy !== undefined) io.stderr.write(`  ${cleanLines(remedy)}\n`)
      if (stack !== undefined) io.stderr.write(`${cleanLines(stack)}\n`)
    },
  }
}
