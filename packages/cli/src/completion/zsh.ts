import { optionCases, pathCases, quoted } from './bash.ts'
import type { CommandNode } from './command-tree.ts'

/**
 * Zsh: commands and options with what they are for. From a folder of `$fpath` the file itself is the function that
 * completes; by `eval` it is registered.
 */
export function zshCompletion(tree: readonly CommandNode[]): string {
  return `#compdef countersign
# Completion of countersign for zsh: eval "$(countersign completion zsh)", after compinit

# For the words before the one that is being typed, sets entries (name:description), values and kind.
_countersign_values() {
  emulate -L zsh
  local at= word= skip= prev=\${argv[-1]}
  entries=() values= kind=
  for word in "\${(@)argv[2,-1]}"; do
    if [[ -n $skip ]]; then skip=; continue; fi
    ${pathCases(tree)}
  done
  case $at:$prev in
${optionCases(tree)}
    *)
      case $at in
${tree.map(commandCase).join('\n')}
      esac ;;
  esac
}

_countersign() {
  local -a entries
  local values kind
  _countersign_values "\${(@)words[1,CURRENT-1]}"
  if [[ -n $values ]]; then
    compadd -- \${=values}
  elif [[ $kind == file && $PREFIX != -* ]]; then
    _files
  elif (( $#entries )); then
    _describe countersign entries
  fi
}

if [[ $funcstack[1] == _countersign ]]; then
  _countersign "$@"
elif (( $+functions[compdef] )); then
  compdef _countersign countersign
fi
`
}

function commandCase({ words, commands, options, argument }: CommandNode): string {
  const entries = [
    ...commands.map(({ name, description }) => `${name}:${description}`),
    ...(argument?.kind === 'choices' ? argument.choices.map((choice) => `${choice}:`) : []),
    ...options.flatMap(({ names, description }) => names.map((name) => `${name}:${description}`)),
  ]
  const kind = argument?.kind === 'file' ? ' kind=file' : ''
  return `        ${quoted(words.join(' '))}) entries=(${entries.map(quoted).join(' ')})${kind} ;;`
}
