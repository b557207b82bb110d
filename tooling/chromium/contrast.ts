import type { Page } from 'playwright-core'

/**
 * Texts whose color is too near to what is behind them (WCAG 2.2, 1.4.3).
 *
 * @param except a selector of what is not judged
 */
export function lowContrast(page: Page, except = '.skip'): Promise<readonly string[]> {
  return page.evaluate((except) => {
    const parse = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number)
    const luminance = ([r = 0, g = 0, b = 0]: number[]): number => {
      const linear = [r, g, b].map((part) =>
        part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
      )
      return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0)
    }
    const behind = (element: Element | null): number[] => {
      for (let at = element; at !== null; at = at.parentElement) {
        const color = parse(getComputedStyle(at).backgroundColor)
        if (color.length === 3 || color[3] === 1) return color
      }
      return [255, 255, 255]
    }
    return [...document.querySelectorAll('body *')]
      .filter((element) => element.checkVisibility() && !element.matches(except))
      .filter((element) =>
        [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim() !== ''),
      )
      .map((element) => {
        const one = luminance(parse(getComputedStyle(element).color))
        const other = luminance(behind(element))
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
        return { ratio, text: element.textContent?.trim().slice(0, 40) }
      })
      .filter(({ ratio }) => ratio < 4.5)
      .map(({ ratio, text }) => `${text}: ${ratio.toFixed(2)}`)
  }, except)
}
