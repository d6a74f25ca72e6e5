//! The history of samples.

use super::super::rows::{LastSample, MetricPoint, MetricSeries};
use super::world::World;
use futures::future::try_join_all;
use grid::sample::Source;
use grid::{NodeId, UnixMillis};
use uuid::Uuid;

fn series(metric: &str) -> MetricSeries {
    MetricSeries { subject: "node".to_owned(), metric: metric.to_owned() }
}

fn point(metric: &str, at: i64, value: f64) -> MetricPoint {
    MetricPoint { series: series(metric), at: UnixMillis(at), value }
}

#[tokio::test]
async fn points_are_read_in_order_and_within_their_times() {
    let world = World::new().await;
    let points = [point("a", 30, 3.0), point("b", 20, -7.25), point("a", 10, 1.5), point("a", 20, 2.0)];
    world.store.metrics_add(&points).await.unwrap();
    world.store.metrics_add(&[point("a", 20, 2.5)]).await.unwrap();
    let read = async |metric, from, to| {
        let read = world.store.metrics_read(&series(metric), UnixMillis(from), UnixMillis(to), 100).await.unwrap();
        read.into_iter().map(|(at, value)| (at.0, value)).collect::<Vec<_>>()
    };
    assert_eq!(read("a", 10, 30).await, [(10, 1.5), (20, 2.5), (30, 3.0)], "the last word counts");
    assert_eq!(read("a", 11, 29).await, [(20, 2.5)]);
    assert_eq!(read("b", 0, 100).await, [(20, -7.25)]);
    assert!(read("c", 0, 100).await.is_empty());
    assert!(read("a", 30, 10).await.is_empty());
}

#[tokio::test]
async fn many_points_are_thinned_evenly_by_averaging() {
    let world = World::new().await;
    let points: Vec<_> = (0..1000_i32).map(|at| point("a", i64::from(at), f64::from(at))).collect();
    world.store.metrics_add(&points).await.unwrap();
    for limit in [1, 7, 10, 999] {
        let read = world.store.metrics_read(&series("a"), UnixMillis(0), UnixMillis(999), limit).await.unwrap();
        assert!((1..=limit as usize).contains(&read.len()), "{limit}: {}", read.len());
        assert!(read.windows(2).all(|pair| pair[0].0 < pair[1].0), "{limit}: oldest first");
    }
    let read = world.store.metrics_read(&series("a"), UnixMillis(0), UnixMillis(999), 10).await.unwrap();
    assert_eq!(read[0], (UnixMillis(49), 49.5));
    assert_eq!(read.len(), 10);
}

#[tokio::test]
async fn what_is_no_number_is_no_point_and_stops_no_other() {
    let world = World::new().await;
    let points = [point("a", 1, f64::NAN), point("a", 2, f64::INFINITY), point("a", 3, 1e300), point("a", 4, -0.0)];
    world.store.metrics_add(&points).await.unwrap();
    let read = world.store.metrics_read(&series("a"), UnixMillis(0), UnixMillis(9), 10).await.unwrap();
    assert_eq!(read, [(UnixMillis(3), 1e300), (UnixMillis(4), 0.0)]);
    world.store.metrics_add(&[]).await.unwrap();
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_its_series_can_come_again() {
    let world = World::new().await;
    world.store.metrics_add(&[point("a", 1, 1.0), point("b", 1, 1.0), point("b", 5, 5.0)]).await.unwrap();
    assert_eq!(world.store.metrics_forget(UnixMillis(5)).await.unwrap(), 2);
    world.store.metrics_add(&[point("a", 9, 9.0)]).await.unwrap();
    for (metric, expected) in [("a", (UnixMillis(9), 9.0)), ("b", (UnixMillis(5), 5.0))] {
        let read = world.store.metrics_read(&series(metric), UnixMillis(0), UnixMillis(9), 10).await.unwrap();
        assert_eq!(read, [expected]);
    }
}

#[tokio::test]
async fn the_last_sample_of_each_source_is_kept() {
    let world = World::new().await;
    let store = &world.store;
    store.sample_put(world.here, Source::Hypervisor, UnixMillis(1), "{\"a\":1}").await.unwrap();
    store.sample_put(world.here, Source::Utility, UnixMillis(2), "{}").await.unwrap();
    store.sample_put(world.here, Source::Hypervisor, UnixMillis(3), "{\"a\":2}").await.unwrap();
    let kept = store.sample_get(world.here, Source::Hypervisor).await.unwrap();
    assert_eq!(kept, Some((UnixMillis(3), "{\"a\":2}".to_owned())));
    let kept = store.sample_get(world.here, Source::Utility).await.unwrap();
    assert_eq!(kept, Some((UnixMillis(2), "{}".to_owned())));
    assert_eq!(store.sample_get(world.there, Source::Utility).await.unwrap(), None);
}

#[tokio::test]
async fn all_last_samples_are_read_part_by_part() {
    let world = World::new().await;
    assert_eq!(world.store.sample_list(None, 9).await.unwrap(), []);
    let ids = [1, 2, 3].map(|number| NodeId(Uuid::from_u128(number)));
    let sources = [Source::Hypervisor, Source::Utility];
    let all: Vec<LastSample> = (ids.into_iter().flat_map(|node| sources.map(|source| (node, source))))
        .map(|(node, source)| LastSample { node, source, at: UnixMillis(5), json: format!("[\"{source:?}\"]") })
        .collect();
    // Many at once, and the same again.
    let put = |it: LastSample| {
        let store = &world.store;
        async move { store.sample_put(it.node, it.source, it.at, &it.json).await }
    };
    try_join_all(all.iter().rev().chain(&all).cloned().map(put)).await.unwrap();
    let (mut read, mut after) = (Vec::new(), None);
    for expected in [4, 2, 0] {
        let part = world.store.sample_list(after, 4).await.unwrap();
        assert_eq!(part.len(), expected);
        after = part.last().map(|last| (last.node, last.source)).or(after);
        read.extend(part);
    }
    assert_eq!(read, all);
}
