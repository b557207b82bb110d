import { Argument, type Command } from 'commander'
import { bashCompletion } from '../completion/bash.ts'
import { type CommandNode, commandTree } from '../completion/command-tree.ts'
import { fishCompletion } from '../completion/fish.ts'
import { zshCompletion } from '../completion/zsh.ts'
import type { Bind, CommandContext } from '../context.ts'
import type { ExitCode } from '../failure.ts'
import { examples } from '../usage.ts'

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const satisfies Readonly<
  Record<string, (tree: readonly CommandNode[]) => string>
>

type Shell = keyof typeof shells

export function addCompletion(program: Command, bind: Bind): void {
  const command = program
    .command('completion')
    .description('Prints the completion of commands, options and files for a shell.')
    .addArgument(new Argument('<shell>', 'your shell').choices(Object.keys(shells)))
  examples(command, [
    [`eval "$(countersign completion bash)"`, 'in ~/.bashrc'],
    [`eval "$(countersign completion zsh)"`, 'in ~/.zshrc, after compinit'],
    ['countersign completion fish | source', 'in ~/.config/fish/config.fish'],
  ])
  command.action(
    bind(async ({ out }: CommandContext, shell: Shell): Promise<ExitCode> => {
      const script = shells[shell](commandTree(program))
      out.result({ shell, script }, (page) => page.text(script))
      return 0
    }),
  )
}
