import { valueOptions } from './bash.ts'
import type { CommandNode, CompletedOption } from './command-tree.ts'

/** In single quotes, as fish reads them. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** Fish: one `complete` for each command and option, asked for where it stands. */
export function fishCompletion(tree: readonly CommandNode[]): string {
  const paths = tree.filter(({ words }) => words.length > 0).map(({ words }) => quoted(words.join(' ')))
  return `# Completion of countersign for fish: countersign completion fish | source
function __countersign_at --description 'whether the words so far lead to this command'
    set -l at
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        if contains -- $word ${valueOptions(tree).join(' ')}
            set skip 1
            continue
        end
        set -l longer (string join ' ' -- $at $word)
        if contains -- $longer ${paths.join(' ')}
            set at $longer
        end
    end
    test "$at" = "$argv[1]"
end
complete -c countersign -f
${tree.flatMap(linesOf).join('\n')}
`
}

function linesOf({ words, commands, options, argument }: CommandNode): string[] {
  const here = `complete -c countersign -n ${quoted(`__countersign_at ${quoted(words.join(' '))}`)}`
  const choices = argument?.kind === 'choices' ? [`${here} -a ${quoted(argument.choices.join(' '))}`] : []
  return [
    ...commands.map(({ name, description }) => `${here} -a ${name} -d ${quoted(description)}`),
    ...choices,
    ...(argument?.kind === 'file' ? [`${here} -F`] : []),
    ...options.map((option) => `${here} ${optionLine(option)}`),
  ]
}

function optionLine({ names, description, value }: CompletedOption): string {
  const parts = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  if (value?.kind === 'choices') parts.push(`-x -a ${quoted(value.choices.join(' '))}`)
  else if (value?.kind === 'file') parts.push('-r -F')
  else if (value !== undefined) parts.push('-x')
  return [...parts, `-d ${quoted(description)}`].join(' ')
}
