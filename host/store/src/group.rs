//! Groups: which member holds which shards. Nothing here waits or touches the disk.
//!
//! A shard has an owner and a target. When they differ the owner is told once, keeps the shard until its next poll
//! (it ends its batch first), and then the target gets it.

use fermata_core::Shard;
use std::collections::HashMap;

/// One session; a member that joins again gets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberId(pub u64);

#[derive(Default)]
pub(crate) struct Groups {
    groups: HashMap<String, Group>,
    joined: u64,
}

#[derive(Default)]
struct Group {
    /// In the order in which they joined.
    members: Vec<(MemberId, String)>,
    shards: Vec<Slot>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    owner: Option<MemberId>,
    target: Option<MemberId>,
    /// The owner knows that it has it.
    announced: bool,
    /// The owner knows that it must give it away.
    told: bool,
}

/// The session is not a member any more: another joined under its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Replaced;

/// What a member should hear next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Assigned(Vec<Shard>),
    Revoked(Vec<Shard>),
}

impl Groups {
    /// A member of the same name is replaced: its shards are free at once.
    pub fn join(&mut self, group: &str, member: &str, partitions: u32) -> MemberId {
        self.joined += 1;
        let id = MemberId(self.joined);
        let group = self.groups.entry(group.into()).or_default();
        let count = group.shards.len().max(partitions as usize);
        group.shards.resize(count, Slot::default());
        if let Some((old, _)) = group.members.iter().find(|(_, name)| name == member).cloned() {
            group.remove(old);
        }
        group.members.push((id, member.into()));
        group.balance();
        id
    }

    pub fn leave(&mut self, group: &str, id: MemberId) {
        if let Some(group) = self.groups.get_mut(group) {
            group.remove(id);
            group.balance();
        }
    }

    /// Whether `id` is a member and holds every one of `shards`, told to give them away or not.
    pub fn holds(&self, group: &str, id: MemberId, mut shards: impl Iterator<Item = Shard>) -> Result<(), String> {
        let group = self.member(group, id).map_err(|Replaced| replaced())?;
        let missing = shards.find(|shard| {
            let slot = group.shards.get(shard.0 as usize);
            !slot.is_some_and(|s| s.owner == Some(id) && s.announced)
        });
        match missing {
            None => Ok(()),
            Some(shard) => Err(format!("this member does not hold shard {shard}")),
        }
    }

    /// Gives away what the member was told of at its poll before; `true` when another may have got something.
    pub fn release(&mut self, group: &str, id: MemberId) -> Result<Vec<Shard>, Replaced> {
        let group = self.member_mut(group, id)?;
        let mut released = Vec::new();
        for (index, slot) in group.shards.iter_mut().enumerate() {
            if slot.owner == Some(id) && slot.told {
                *slot = Slot {
                    owner: slot.target,
                    target: slot.target,
                    announced: false,
                    told: false,
                };
                released.push(Shard(index as u32));
            }
        }
        Ok(released)
    }

    pub fn next_change(&mut self, group: &str, id: MemberId) -> Result<Option<Change>, Replaced> {
        let group = self.member_mut(group, id)?;
        let mut collect = |wanted: fn(&Slot) -> bool, mark: fn(&mut Slot)| {
            let mut shards = Vec::new();
            for (index, slot) in group.shards.iter_mut().enumerate() {
                if slot.owner == Some(id) && wanted(slot) {
                    mark(slot);
                    shards.push(Shard(index as u32));
                }
            }
            (!shards.is_empty()).then_some(shards)
        };
        let leaving = |s: &Slot| s.announced && !s.told && s.target != s.owner;
        if let Some(shards) = collect(leaving, |s| s.told = true) {
            return Ok(Some(Change::Revoked(shards)));
        }
        let new = |s: &Slot| !s.announced && s.target == s.owner;
        let assigned = collect(new, |s| s.announced = true);
        Ok(assigned.map(Change::Assigned))
    }

    /// Sends a shard to the member of that name; `false` when there is no such member or shard.
    pub fn send(&mut self, group: &str, shard: Shard, member: &str) -> bool {
        let Some(group) = self.groups.get_mut(group) else {
            return false;
        };
        let target = group.members.iter().find(|(_, name)| name == member);
        let target = target.map(|(id, _)| *id);
        match (target, group.shards.get_mut(shard.0 as usize)) {
            (Some(id), Some(slot)) => {
                slot.target = Some(id);
                slot.settle();
                true
            }
            _ => false,
        }
    }

    /// Name of the member that holds each shard.
    pub fn owners(&self, group: &str) -> Vec<Option<String>> {
        let Some(group) = self.groups.get(group) else {
            return Vec::new();
        };
        let name = |id: MemberId| {
            let found = group.members.iter().find(|(member, _)| *member == id);
            found.map(|(_, name)| name.clone())
        };
        group.shards.iter().map(|s| s.owner.and_then(name)).collect()
    }

    fn member(&self, group: &str, id: MemberId) -> Result<&Group, Replaced> {
        let group = self.groups.get(group).ok_or(Replaced)?;
        let known = group.members.iter().any(|(member, _)| *member == id);
        known.then_some(group).ok_or(Replaced)
    }
    fn member_mut(&mut self, group: &str, id: MemberId) -> Result<&mut Group, Replaced> {
        let group = self.groups.get_mut(group).ok_or(Replaced)?;
        let known = group.members.iter().any(|(member, _)| *member == id);
        known.then_some(group).ok_or(Replaced)
    }
}

pub(crate) fn replaced() -> String {
    "another session joined under this member's name".into()
}

impl Slot {
    /// A shard without an owner, or whose owner has not heard of it yet, moves at once.
    fn settle(&mut self) {
        if self.owner.is_none() || !self.announced {
            self.owner = self.target;
        }
    }
}

impl Group {
    fn remove(&mut self, id: MemberId) {
        self.members.retain(|(member, _)| *member != id);
        for slot in &mut self.shards {
            if slot.target == Some(id) {
                slot.target = None;
            }
            if slot.owner == Some(id) {
                *slot = Slot {
                    target: slot.target,
                    ..Slot::default()
                };
            }
        }
    }

    /// Every member gets its share, the difference at most one; shards stay where they are unless that is too many.
    fn balance(&mut self) {
        if self.members.is_empty() {
            return;
        }
        let mut shares: Vec<(MemberId, usize)> = self
            .members
            .iter()
            .map(|(id, _)| {
                let claims = |s: &&Slot| s.target == Some(*id);
                (*id, self.shards.iter().filter(claims).count())
            })
            .collect();
        // Those that have most keep the larger shares.
        shares.sort_by_key(|(id, claims)| (std::cmp::Reverse(*claims), *id));
        let each = self.shards.len() / shares.len();
        let larger = self.shards.len() % shares.len();
        for (index, (_, share)) in shares.iter_mut().enumerate() {
            *share = each + usize::from(index < larger);
        }
        for slot in &mut self.shards {
            let share = shares
                .iter_mut()
                .find(|(id, left)| slot.target == Some(*id) && *left > 0);
            match share {
                Some((_, left)) => *left -= 1,
                None => slot.target = None,
            }
        }
        for slot in &mut self.shards {
            if slot.target.is_none() {
                let open = shares.iter_mut().find(|(_, left)| *left > 0);
                let (id, left) = open.expect("the shares add up to the shards");
                *left -= 1;
                slot.target = Some(*id);
            }
            slot.settle();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: &str = "g";

    fn count(groups: &Groups, name: &str) -> usize {
        let owners = groups.owners(G);
        owners.iter().filter(|o| o.as_deref() == Some(name)).count()
    }

    #[test]
    fn shares_are_balanced_and_sticky() {
        let mut groups = Groups::default();
        let a = groups.join(G, "a", 7);
        let all: Vec<_> = (0..7).map(Shard).collect();
        assert_eq!(groups.next_change(G, a), Ok(Some(Change::Assigned(all))));
        let b = groups.join(G, "b", 7);
        let Ok(Some(Change::Revoked(moving))) = groups.next_change(G, a) else {
            panic!("a must give shards away");
        };
        assert_eq!(moving.len(), 3);
        // Until a polls again they are a's.
        assert_eq!(groups.next_change(G, b), Ok(None));
        assert_eq!(groups.holds(G, a, moving.iter().copied()), Ok(()));
        assert_eq!(groups.release(G, a), Ok(moving.clone()));
        assert!(groups.holds(G, a, moving.iter().copied()).is_err());
        assert_eq!(groups.next_change(G, b), Ok(Some(Change::Assigned(moving))));
        assert_eq!((count(&groups, "a"), count(&groups, "b")), (4, 3));
        // c takes from both; nothing moves between a and b.
        let c = groups.join(G, "c", 7);
        for id in [a, b] {
            assert!(matches!(groups.next_change(G, id), Ok(Some(Change::Revoked(_)))));
            groups.release(G, id).unwrap();
            assert_eq!(groups.next_change(G, id), Ok(None));
        }
        assert!(matches!(groups.next_change(G, c), Ok(Some(Change::Assigned(s))) if s.len() == 2));
    }

    #[test]
    fn the_shards_of_one_that_leaves_go_on_at_once() {
        let mut groups = Groups::default();
        let a = groups.join(G, "a", 2);
        let b = groups.join(G, "b", 2);
        assert!(matches!(groups.next_change(G, a), Ok(Some(Change::Assigned(s))) if s.len() == 1));
        assert!(matches!(groups.next_change(G, b), Ok(Some(Change::Assigned(s))) if s.len() == 1));
        groups.leave(G, a);
        assert!(matches!(groups.next_change(G, b), Ok(Some(Change::Assigned(s))) if s.len() == 1));
        assert_eq!(count(&groups, "b"), 2);
        assert_eq!(groups.release(G, a), Err(Replaced));
    }

    #[test]
    fn a_shard_sent_back_before_it_left_is_assigned_again() {
        let mut groups = Groups::default();
        let a = groups.join(G, "a", 1);
        groups.next_change(G, a).unwrap();
        groups.join(G, "b", 1);
        assert!(groups.send(G, Shard(0), "b"));
        assert_eq!(groups.next_change(G, a), Ok(Some(Change::Revoked(vec![Shard(0)]))));
        assert!(groups.send(G, Shard(0), "a"));
        assert_eq!(groups.release(G, a), Ok(vec![Shard(0)]));
        assert_eq!(groups.next_change(G, a), Ok(Some(Change::Assigned(vec![Shard(0)]))));
        assert!(!groups.send(G, Shard(9), "a"));
        assert!(!groups.send(G, Shard(0), "nobody"));
    }

    #[test]
    fn who_joins_again_replaces_itself() {
        let mut groups = Groups::default();
        let old = groups.join(G, "a", 3);
        groups.next_change(G, old).unwrap();
        let new = groups.join(G, "a", 3);
        assert_eq!(groups.next_change(G, old), Err(Replaced));
        assert!(groups.holds(G, old, [Shard(0)].into_iter()).is_err());
        assert!(matches!(groups.next_change(G, new), Ok(Some(Change::Assigned(s))) if s.len() == 3));
    }
}
