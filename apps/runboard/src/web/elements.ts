import { make } from '@countersign-apps/kit/web'

/** A button that calls back once at a time, and says for screen readers what it is about. */
export function button(text: string, about: string, call: () => Promise<void>): HTMLButtonElement {
  const made = make('button', 'quiet', text)
  made.type = 'button'
  made.setAttribute('aria-label', `${text} ${about}`)
  made.addEventListener('click', () => void busy(made, call))
  return made
}

/** Calls once at a time. Not `disabled`: that would throw the focus away. */
export async function busy(one: HTMLElement, call: () => Promise<void>): Promise<void> {
  if (one.ariaDisabled === 'true') return
  one.ariaDisabled = 'true'
  try {
    await call()
  } finally {
    one.ariaDisabled = null
  }
}

/** The choices of a select; what was chosen stays so if it is still there. */
export function choices(select: HTMLSelectElement, options: readonly { value: string; text: string }[]): void {
  const chosen = select.value
  const isSame = [...select.options].every(
    ({ value, text }, at) => options[at]?.value === value && options[at].text === text,
  )
  // One that is open would be closed.
  if (isSame && select.options.length === options.length) return
  select.replaceChildren(...options.map(({ value, text }) => new Option(text, value, false, value === chosen)))
}
