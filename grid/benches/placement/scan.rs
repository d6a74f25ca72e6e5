//! The exhaustive search to compare with: a column for each fact, looked at from end to end, thirty-two nodes at a time,
//! written so that the compiler uses the processor's vector instructions.

use grid::index::{Choice, Query, Row, Vector, choice};
use grid::policy::{Policy, WORTH};
use grid::{HypervisorKind, NodeId};
use std::collections::HashMap;

const BLOCK: usize = 32;

pub(crate) struct Scan {
    pub(crate) rows: Vec<Row>,
    free: [Vec<i32>; Vector::LEN],
    /// The kind's number where the node is ready, -1 where it isn't.
    kind: Vec<i32>,
    positions: HashMap<NodeId, usize>,
}

impl Scan {
    pub(crate) fn new(rows: &[Row]) -> Self {
        let padded = rows.len().next_multiple_of(BLOCK);
        let mut scan = Self {
            rows: rows.to_vec(),
            free: std::array::from_fn(|_| vec![-1; padded]),
            kind: vec![-1; padded],
            positions: rows.iter().enumerate().map(|(position, row)| (row.id, position)).collect(),
        };
        for (position, row) in rows.iter().enumerate() {
            scan.write(position, row);
        }
        scan
    }

    pub(crate) fn position(&self, id: NodeId) -> usize {
        self.positions[&id]
    }

    pub(crate) fn put(&mut self, row: &Row) {
        let position = self.position(row.id);
        self.rows[position] = *row;
        self.write(position, row);
    }

    fn write(&mut self, position: usize, row: &Row) {
        for (column, amount) in self.free.iter_mut().zip(signed(row.free)) {
            column[position] = amount;
        }
        self.kind[position] = if row.readiness == grid::index::Readiness::Ready { number(row.kind) } else { -1 };
    }

    /// The best of all nodes.
    pub(crate) fn choose(&self, query: &Query) -> Option<Choice> {
        if query.policy != Policy::Pack {
            return self.rows.iter().filter_map(|row| choice(query, row)).min();
        }
        let (mut best, mut lowest): (Option<Choice>, i32) = (None, i32::MAX - 1);
        for block in 0..self.kind.len() / BLOCK {
            let costs = self.costs(query, block);
            if costs.iter().copied().fold(i32::MAX, i32::min) > lowest {
                continue;
            }
            // What a row says beyond its cost is looked at only where it could matter.
            for (position, cost) in (block * BLOCK..).zip(costs) {
                if cost <= lowest
                    && let Some(choice) = choice(query, &self.rows[position])
                    && best.is_none_or(|best| choice < best)
                {
                    (best, lowest) = (Some(choice), cost);
                }
            }
        }
        best
    }

    /// How many can take it.
    pub(crate) fn count(&self, query: &Query) -> usize {
        let blocks = 0..self.kind.len() / BLOCK;
        let fitting = |block: usize| {
            let positions = (block * BLOCK..).zip(self.costs(query, block));
            positions
                .filter(|(position, cost)| *cost < i32::MAX && choice(query, &self.rows[*position]).is_some())
                .count()
        };
        blocks.map(fitting).sum()
    }

    /// The default policy's cost of thirty-two nodes; the largest number where there is no room. 32 bits are enough for
    /// the amounts of this bench.
    #[inline]
    fn costs(&self, query: &Query, block: usize) -> [i32; BLOCK] {
        let (mut costs, mut short) = ([0_i32; BLOCK], [0_i32; BLOCK]);
        let kind = number(query.kind);
        for (short, of) in short.iter_mut().zip(self.kind.as_chunks::<BLOCK>().0[block]) {
            *short = if of == kind { 0 } else { -1 };
        }
        let asked = signed(query.asked);
        for resource in 0..Vector::LEN {
            let worth = i32::try_from(WORTH[resource]).unwrap_or(i32::MAX);
            let column = &self.free[resource].as_chunks::<BLOCK>().0[block];
            for lane in 0..BLOCK {
                let left = column[lane].wrapping_sub(asked[resource]);
                short[lane] |= left;
                costs[lane] = costs[lane].wrapping_add(left.wrapping_mul(worth));
            }
        }
        for (cost, short) in costs.iter_mut().zip(short) {
            *cost = if short < 0 { i32::MAX } else { *cost };
        }
        costs
    }
}

fn number(kind: HypervisorKind) -> i32 {
    kind as i32
}

fn signed(amounts: Vector) -> [i32; Vector::LEN] {
    amounts.amounts().map(|amount| i32::try_from(amount).unwrap_or(i32::MAX))
}
