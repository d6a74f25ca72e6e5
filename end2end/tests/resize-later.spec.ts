// A resize that is agreed to for later: the customer chooses a window in the own time zone, and it is done then.

import { expect, test } from '../story/test';

/** A local time as a browser's field has it; the tests' browser is in UTC. */
const at = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString().slice(0, 16);

test('a resize is scheduled, shown, cancelled; and one whose window is open is done', async ({ as, lab }) => {
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const larger = { ...size, memory_mib: size.memory_mib + 64 };
  const choose = async (opens: string, closes: string) => {
    await owner.preview(mail.id, larger);
    await owner.page.getByRole('link', { name: /choose a time/ }).click();
    await expect(owner.page).toHaveURL(/\/resize\/later/);
    await owner.alive();
    await expect(owner.field('From'), 'a window is proposed').toHaveValue(/T\d\d:00$/);
    await owner.field('From').fill(opens);
    await owner.field('Until').fill(closes);
    await expect(owner.page.locator('main')).toContainText('In your time zone, UTC then.');
    await owner.button('Schedule').click();
  };

  // What is wrong stands beside its field, and what was typed is kept.
  await choose(at(60), at(30));
  await expect(owner.problem).toContainText('after it opens');
  await expect(owner.field('From')).toHaveValue(/\d{4}-\d\d-\d\dT/);
  await choose(at(-60), at(30));
  await expect(owner.problem).toContainText('in the past');

  await choose(at(24 * 60), at(25 * 60));
  await expect(owner.page).toHaveURL(new RegExp(`/vms/${mail.id}$`));
  const waiting = owner.page.locator('[data-schedule]');
  await expect(waiting).toContainText('Changes to');
  await expect(waiting.locator('time').first()).toHaveText(/UTC$/);
  await owner.button('Cancel the change').click();
  await expect(waiting).toHaveCount(0);
  await expect(owner.page.locator('[data-schedule-over=cancelled]').first()).toBeVisible();

  await choose(at(0), at(60));
  await expect(owner.page).toHaveURL(new RegExp(`/vms/${mail.id}$`));
  const started = owner.page.locator('[data-schedule-over=started]').first();
  await expect(started, 'the page changes by itself').toBeVisible({ timeout: 60_000 });
  await started.getByRole('link').click();
  await owner.operationOpened();
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  expect(await owner.sizeOf(mail.id)).toEqual(larger);
  await owner.resize(mail.id, size);
});

test.describe('elsewhere', () => {
  test.use({ timezoneId: 'Asia/Kolkata' });

  test('times are those of who looks at them', async ({ as, lab }) => {
    const mail = lab.vm('mail');
    const owner = await as(mail.owner);
    const size = await owner.sizeOf(mail.id);
    await owner.previewLinked(mail.id, { ...size, memory_mib: size.memory_mib + 64 });
    await owner.page.getByRole('link', { name: /choose a time/ }).click();
    await expect(owner.page).toHaveURL(/\/resize\/later/);
    await owner.alive();
    await expect(owner.field('From'), 'what is proposed in UTC').toHaveValue(/T\d\d:30$/);
    const local = (hours: number) => new Date(Date.now() + (hours + 5.5) * 3_600_000).toISOString().slice(0, 16);
    const opens = local(24);
    await owner.field('From').fill(opens);
    await owner.field('Until').fill(local(25));
    await expect(owner.page.locator('main')).toContainText('UTC+05:30 then');
    await owner.button('Schedule').click();
    const shown = owner.page.locator('[data-schedule] time').first();
    await expect(shown).toHaveText(`${opens.replace('T', ' ')} UTC+05:30`);
    const utc = new Date(`${opens}:00+05:30`).toISOString().replace('.000', '');
    await expect(shown).toHaveAttribute('datetime', utc);
    await owner.button('Cancel the change').click();
    await expect(owner.page.locator('[data-schedule]')).toHaveCount(0);
  });
});
