import type { Argument, Command, Option } from 'commander'

/** What completes the value of an option or an argument. */
export type ValueKind =
  | { readonly kind: 'file' | 'other' }
  | { readonly kind: 'choices'; readonly choices: readonly string[] }

export interface CompletedOption {
  /** Such as `--config`; also `-h`. */
  readonly names: readonly string[]
  readonly description: string
  /** Undefined: it takes none, or works without. */
  readonly value: ValueKind | undefined
}

/** One command of the program, as a shell's completion needs to know it. */
export interface CommandNode {
  /** The words that lead to it, without the program's name. */
  readonly words: readonly string[]
  readonly description: string
  readonly commands: readonly { readonly name: string; readonly description: string }[]
  readonly options: readonly CompletedOption[]
  /** Of its first argument. */
  readonly argument: ValueKind | undefined
}

/** Every command, the program itself first; its options are offered everywhere, since they may stand anywhere. */
export function commandTree(program: Command): readonly CommandNode[] {
  const global = optionsOf(program)
  const below = (command: Command, words: readonly string[]): CommandNode[] => [
    {
      words,
      description: firstSentence(command.description()),
      commands: command.commands.map((one) => ({
        name: one.name(),
        description: firstSentence(one.description()),
      })),
      options: command === program ? global : [...optionsOf(command), ...global.filter(isElsewhere)],
      argument: command.registeredArguments[0] && argumentKind(command.registeredArguments[0]),
    },
    ...command.commands.flatMap((one) => below(one, [...words, one.name()])),
  ]
  return below(program, [])
}

/** Those of the program alone, and help, which every command has of its own. */
const onlyOfProgram: ReadonlySet<string> = new Set(['--version', '--help'])

function isElsewhere({ names }: CompletedOption): boolean {
  return !names.some((name) => onlyOfProgram.has(name))
}

function optionsOf(command: Command): CompletedOption[] {
  return [
    ...command.options.filter(({ hidden }) => !hidden).map(optionOf),
    { names: ['-h', '--help'], description: 'print this help', value: undefined },
  ]
}

function optionOf(option: Option): CompletedOption {
  const names = [option.short, option.long].filter((name) => name !== undefined && name !== null)
  return {
    names,
    description: firstSentence(option.description),
    value: option.required ? kindOf(option.argChoices, option.flags) : undefined,
  }
}

function argumentKind(argument: Argument): ValueKind {
  return kindOf(argument.argChoices, `<${argument.name()}>`)
}

function kindOf(choices: readonly string[] | undefined, placeholder: string): ValueKind {
  if (choices !== undefined) return { kind: 'choices', choices }
  return { kind: /<(?:file|dir)>/u.test(placeholder) ? 'file' : 'other' }
}

/** On one line, without what only a terminal of some width can show. */
function firstSentence(description: string): string {
  const line = description.replaceAll(/\s+/gu, ' ')
  return line.split(/[.:;](?: |$)/u)[0] ?? line
}
