// Room on purpose: an admin keeps some of a node back for the host, so that a growth there needs another node, or finds
// little there. These are Hostgrid's own settings, made in its own form; the answer gives back what was kept.

import { expect } from '@playwright/test';
import type { Panel } from './panel';

const memory = 'Reserve memory (MiB)';

/** Leaves the node no memory to give; answers what undoes it. */
export function fillMemory(admin: Panel, node: string): Promise<() => Promise<void>> {
  return keepBack(admin, node, memory, () => 10_000_000);
}

/** Leaves the node no vCPUs to give; answers what undoes it. */
export function fillVcpus(admin: Panel, node: string): Promise<() => Promise<void>> {
  return keepBack(admin, node, 'Reserve vCPUs', () => 1_000);
}

/** Leaves the node about so much memory to give; answers what undoes it. */
export async function leaveMemory(admin: Panel, node: string, mib: number): Promise<() => Promise<void>> {
  await admin.open(`/admin/nodes/${node}`);
  const available = await availableMib(admin, 'memory');
  const overcommit = Number(await admin.field('Overcommit memory').inputValue());
  return keepBack(admin, node, memory, (before) => before + Math.round((available - mib) / overcommit));
}

/** Sells the node's memory twice as often as before; answers what undoes it. */
export function doubleMemory(admin: Panel, node: string): Promise<() => Promise<void>> {
  return keepBack(admin, node, 'Overcommit memory', (before) => before * 2);
}

/** Waits until a node is known to have room again after its pool was full, or nobody heard of it. */
export async function hasRoomAgain(admin: Panel, node: string): Promise<void> {
  await expect(async () => {
    await admin.open(`/admin/nodes/${node}`);
    await expect(admin.page.locator('h1')).toContainText(/ready/i, { timeout: 500 });
    for (const resource of ['memory', 'disk']) expect(await availableMib(admin, resource), resource).toBeGreaterThan(256);
  }).toPass({ timeout: 90_000, intervals: [500] });
}

/** What the node whose page is open has available of memory or disk. */
async function availableMib(admin: Panel, resource: string): Promise<number> {
  const row = admin.page.locator('table.figures tr').filter({ has: admin.page.getByText(resource, { exact: true }) });
  const [amount, unit] = (await row.locator('[data-label="Available"]').innerText()).replaceAll(',', '').split(' ');
  return Number(amount) * (unit === 'GiB' ? 1024 : 1);
}

async function keepBack(
  admin: Panel,
  node: string,
  label: string,
  amount: (before: number) => number,
): Promise<() => Promise<void>> {
  const before = await reserve(admin, node, label);
  await setReserve(admin, node, label, String(amount(Number(before))));
  return () => setReserve(admin, node, label, before);
}

async function reserve(admin: Panel, node: string, label: string): Promise<string> {
  await admin.open(`/admin/nodes/${node}`);
  return admin.field(label).inputValue();
}

async function setReserve(admin: Panel, node: string, label: string, value: string): Promise<void> {
  await admin.open(`/admin/nodes/${node}`);
  await admin.field(label).fill(value);
  // A page that is left at once takes back what it asked for.
  const saved = admin.page.waitForResponse((response) => response.request().method() === 'POST');
  await admin.button('Save').click();
  await saved;
  await expect.poll(() => reserve(admin, node, label), { timeout: 15_000 }).toBe(value);
}
