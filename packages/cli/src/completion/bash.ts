import type { CommandNode, ValueKind } from './command-tree.ts'

/** In single quotes, for any shell of the Bourne family. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** The same for bash and zsh: which command a word leads to, and which options take the next one. */
export function pathCases(tree: readonly CommandNode[]): string {
  const paths = tree.filter(({ words }) => words.length > 0).map(({ words }) => quoted(words.join(' ')))
  return `case $word in
      ${valueOptions(tree).join('|')}) skip=1; continue ;;
      -*) continue ;;
    esac
    case \${at:+$at }$word in
      ${paths.join('|')}) at=\${at:+$at }$word ;;
    esac`
}

/** Every option with a value, by every name that it has. */
export function valueOptions(tree: readonly CommandNode[]): string[] {
  const names = tree.flatMap(({ options }) => options.flatMap(({ names, value }) => (value === undefined ? [] : names)))
  return [...new Set(names)]
}

/** What `values` and `kind` become behind an option with a value. */
export function optionCases(tree: readonly CommandNode[]): string {
  const lines = tree.flatMap(({ words, options }) =>
    options.flatMap(({ names, value }) => {
      const where = names.map((name) => quoted(`${words.join(' ')}:${name}`)).join('|')
      return value === undefined ? [] : [`    ${where}) ${settingsOf(value)} ;;`]
    }),
  )
  return lines.join('\n')
}

function settingsOf(value: ValueKind): string {
  return value.kind === 'choices' ? `values=${quoted(value.choices.join(' '))}` : `kind=${value.kind}`
}

/** Bash: nothing of the package bash-completion is used, and it runs in the 3.2 of macOS, which takes `--a=b` apart. */
export function bashCompletion(tree: readonly CommandNode[]): string {
  return `# Completion of countersign for bash: eval "$(countersign completion bash)"
_countersign() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local at= word= skip= values= kind= i
  COMPREPLY=()
  if [ "$cur" = "=" ]; then
    cur=
  elif [ "$prev" = "=" ] && [ "$COMP_CWORD" -gt 1 ]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [ "$word" = "=" ]; then continue; fi
    if [ -n "$skip" ]; then skip=; continue; fi
    ${pathCases(tree)}
  done
  case $at:$prev in
${optionCases(tree)}
    *)
      case $at in
${tree.map(commandCase).join('\n')}
      esac ;;
  esac
  if [ "$kind" = file ] && [ "\${cur#-}" = "$cur" ]; then
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$cur")
    compopt -o filenames 2>/dev/null
    return
  fi
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$values" -- "$cur")
}
complete -F _countersign countersign
`
}

function commandCase({ words, commands, options, argument }: CommandNode): string {
  const names = [...commands.map(({ name }) => name), ...(argument?.kind === 'choices' ? argument.choices : [])]
  const values = [...names, ...options.flatMap((option) => option.names)]
  const kind = argument?.kind === 'file' ? ' kind=file' : ''
  return `        ${quoted(words.join(' '))}) values=${quoted(values.join(' '))}${kind} ;;`
}
