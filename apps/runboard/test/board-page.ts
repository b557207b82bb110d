import type { Page } from 'playwright-core'

/** What people do on the page. */
export function boardPage(page: Page) {
  const shows = (state: string) => page.locator('#state').getByText(state, { exact: true }).waitFor()
  const run = (task: string) => page.getByRole('listitem').filter({ hasText: task })
  return {
    page,
    run,
    shows,
    notice: (text: string) => page.locator('#notice').getByText(text).waitFor(),
    async signIn(name = 'ada'): Promise<void> {
      await page.getByRole('link', { name: 'Sign in' }).click()
      await page.getByRole('button', { name: `${name}@example.com` }).click()
      await shows('Live')
    },
    async start(task: string, repository = 'website-app'): Promise<void> {
      await page.getByLabel('Repository').selectOption({ label: repository })
      await page.getByLabel('Task').fill(task)
      await page.getByRole('button', { name: 'Start', exact: true }).click()
      await run(task).waitFor()
    },
  }
}

export type BoardPage = ReturnType<typeof boardPage>
