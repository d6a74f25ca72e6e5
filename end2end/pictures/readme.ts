// The README's pictures: the pages as they are with the seeded lab, light, dark and on a phone.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Panel } from '../story/panel';
import { fillMemory } from '../story/room';
import { test } from '../story/test';

const directory = process.env.HOSTGRID_PICTURES_DIR ?? 'pictures';

test('pictures', async ({ admin, as, lab }) => {
  mkdirSync(directory, { recursive: true });
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);

  const home = lab.simulated ? shop.node : lab.home(shop.id);
  const giveBack = await fillMemory(admin, home);
  try {
    const size = await owner.sizeOf(shop.id);
    const larger = { vcpus: 2, memory_mib: size.memory_mib + 128, disk_gib: size.disk_gib };
    await owner.previewLinked(shop.id, larger);
    await shots(owner, 'resize');
    await owner.agree();
    await owner.outcome();
    await shots(owner, 'operation');
    await owner.previewLinked(shop.id, { ...size, vcpus: 20 });
    await shots(owner, 'refusal');
  } finally {
    await giveBack();
  }
  await owner.open('/vms');
  await shots(owner, 'vms');
  await owner.open(`/vms/${shop.id}`);
  await shots(owner, 'vm');
  await admin.open('/admin');
  await shots(admin, 'dashboard');
  await admin.open(`/admin/nodes/${home}`);
  await shots(admin, 'node');
  await admin.open('/admin/operations');
  await shots(admin, 'operations');
});

async function shots({ page }: Panel, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 1200, height: 800 });
    await page.screenshot({ path: join(directory, `${name}-${colorScheme}.png`), fullPage: true, animations: 'disabled' });
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ path: join(directory, `${name}-phone.png`), fullPage: true, animations: 'disabled' });
  await page.setViewportSize({ width: 1200, height: 800 });
}
