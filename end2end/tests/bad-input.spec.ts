import { expect, test } from '../story/test';

const sizes = [
  '0',
  '-1',
  '1.5',
  '1e3',
  '9223372036854775808',
  '18446744073709551616',
  '٣',
  '１２',
  '2 GiB',
  '512MB',
  '',
  ' ',
  'NaN',
  '<b>1</b>',
  "1' OR '1'='1",
  '9'.repeat(2000),
];

/** What a page says beside a field, as it came over the wire. */
const problemOf = (html: string, field: string) =>
  (/<p>(.*?)<\/p>/s.exec(html.split(`id="${field}-problems"`)[1]?.split('</div>')[0] ?? '')?.[1] ?? '').replaceAll(/<.*?>/g, '');

test('a size that is no size gets a clear message beside its field, and nothing changes', async ({ as, lab }) => {
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  const before = await owner.sizeOf(shop.id);
  for (const field of ['vcpus', 'memory_mib', 'disk_gib']) {
    for (const bad of sizes) {
      const query = new URLSearchParams({ vcpus: '1', memory_mib: '256', disk_gib: '1', [field]: bad });
      const answer = await owner.page.request.get(`/vms/${shop.id}/resize?${query}`);
      const html = await answer.text();
      const what = `${field}=${bad.slice(0, 30)}`;
      expect(answer.status(), what).toBeLessThan(500);
      expect(problemOf(html, field), what).toMatch(/\w+/);
      expect(html, what).not.toMatch(/>Resize(<!.*?>)?<\/button>/);
    }
  }
  expect(await owner.sizeOf(shop.id)).toEqual(before);
});

test('a bad size typed into the form is kept there with its message', async ({ as, lab }) => {
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  await owner.open(`/vms/${shop.id}/resize`);
  await owner.field('Memory (MiB)').evaluate((input: HTMLInputElement) => {
    if (input.form) input.form.noValidate = true;
  });
  await owner.field('Memory (MiB)').fill('0');
  await owner.button('Preview').click();
  await expect(owner.problem).toContainText(/memory|at least|MiB/i);
  await expect(owner.field('Memory (MiB)')).toHaveValue('0');
});

const names: [string, string][] = [
  ['nothing', ''],
  ['a tag', '<script>alert(1)</script>'],
  ['the end of a CDATA section', 'a]]>b'],
  ['NUL', 'a\u0000b'],
  ['a path', '../../etc/passwd'],
  ['a right-to-left mark', 'a\u202Eb'],
  ['a space inside', 'two words'],
  ['a line break', 'a\r\nb'],
  ['a quotation mark', '"; drop table vm; --'],
  ['capitals with accents', 'ÉTÉ'],
  ['a hyphen first', '-shop'],
  ['ten thousand characters', 'a'.repeat(10_000)],
];

test('a VM with a name that is none is not deployed, and the form says why', async ({ as, lab }) => {
  const owner = await as(lab.vm('shop').owner);
  await owner.open('/vms');
  const cards = owner.page.locator('main a[href^="/vms/"]');
  const before = await cards.count();
  for (const [what, name] of names) {
    await owner.open('/vms/new');
    const field = owner.field('Name');
    // The browser's own checks are a courtesy; the server has to say it.
    await field.evaluate((input: HTMLInputElement) => {
      if (input.form) input.form.noValidate = true;
      input.removeAttribute('maxlength');
    });
    await field.fill(name);
    await owner.button('Deploy').click();
    await expect(owner.problem, what).toBeVisible();
    await expect(owner.page, what).toHaveURL(/\/vms\/new/);
  }
  await owner.open('/vms');
  expect(await cards.count()).toBe(before);
});

test('addresses that name nothing are not found, without a word of what is behind', async ({ as, lab, allow }) => {
  allow(/status of 4\d\d/);
  const owner = await as(lab.vm('shop').owner);
  for (const path of [
    '/vms/not-an-id',
    '/vms/..%2f..%2fetc%2fpasswd',
    '/vms/%00',
    `/vms/${'9'.repeat(3000)}`,
    '/operations/1',
    '/operations/00000000-0000-4000-8000-000000000000',
    '/nothing/here',
  ]) {
    const status = await owner.open(path);
    expect(status, path.slice(0, 40)).toBeGreaterThanOrEqual(400);
    expect(status, path.slice(0, 40)).toBeLessThan(500);
    expect(await owner.page.content()).not.toMatch(/sqlx|panicked|stack backtrace|\.rs:\d/);
  }
});

for (const [what, pattern, forged] of [
  ['more vCPUs than any VM has', /"vcpus":\d+/g, '"vcpus":4096'],
  ['memory between two steps', /"memory":\d+/g, '"memory":257'],
] as const) {
  test(`an agreement that was tampered with starts nothing: ${what}`, async ({ as, lab }) => {
    const shop = lab.vm('shop');
    const owner = await as(shop.owner);
    const size = await owner.sizeOf(shop.id);
    const operations = await owner.operationsOf(shop.id);
    const plan = await owner.previewLinked(shop.id, { ...size, vcpus: size.vcpus + 1 });
    expect(plan).not.toBe('refused');
    // Changed and sent at once: news from the grid brings a fresh plan, and with it an honest field.
    const changed = await owner.button('Resize').evaluate(
      (button: HTMLButtonElement, [source, flags, forged]) => {
        const inputs = [...(button.form?.querySelectorAll<HTMLInputElement>('input[type=hidden]') ?? [])];
        const carrier = inputs.find((input) => input.value.includes('"vcpus"'));
        const before = carrier?.value;
        if (carrier) carrier.value = carrier.value.replaceAll(new RegExp(source, flags), forged);
        const changed = carrier !== undefined && carrier.value !== before;
        if (changed) button.click();
        return changed;
      },
      [pattern.source, pattern.flags, forged] as const,
    );
    expect(changed, 'the form carries the plan').toBe(true);
    await expect(owner.page.locator('main')).toContainText(/nothing was started|does not fit|doesn't fit/i);
    expect(await owner.operationsOf(shop.id)).toEqual(operations);
    expect(await owner.sizeOf(shop.id)).toEqual(size);
  });
}
