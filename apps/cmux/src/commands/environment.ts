/** What commands get of this process's environment; everything else stays here. */
const passed = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR', 'TEMP', 'SYSTEMROOT']

/** Never, whatever a configuration says. */
const own = /^(?:CMUX|COUNTERSIGN)_/i

/** The environment of commands: a short list of names, those of the locale, and what the configuration adds by name. */
export function commandEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  also: readonly string[] = [],
): Record<string, string> {
  const environment: Record<string, string> = { TERM: 'dumb', NO_COLOR: '1' }
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined || own.test(name)) continue
    if (passed.includes(name) || name.startsWith('LC_') || also.includes(name)) environment[name] = value
  }
  return environment
}
