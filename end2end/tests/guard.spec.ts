import { expect, type Guard, test, window } from '../story/test';

test('what fails a test is seen: an error on the console, an exception, a violation of the policy', async ({ browser }) => {
  const guard: Guard = { complaints: [], allowed: [] };
  const page = await window(browser, guard);
  await page.goto('/login');
  expect(guard.complaints).toEqual([]);
  await page.evaluate(() => {
    console.error('on the console');
    setTimeout(() => {
      throw new Error('thrown');
    });
    document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = "in"' }));
  });
  for (const complaint of [/^on the console/, /^exception: thrown/, /^CSP: script-src/]) {
    await expect.poll(() => guard.complaints).toContainEqual(expect.stringMatching(complaint));
  }
  expect(await page.title()).not.toBe('in');
  await page.context().close();
});
