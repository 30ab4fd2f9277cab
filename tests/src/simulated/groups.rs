//! Who holds which shard, as the coordinator counts it and as each member believes it.
//!
//! Each change of owner raises the shard's epoch. A session holds a shard truly when it is the owner and knows of
//! the present epoch; what it was told earlier is a belief that a commit will refuse.

use fermata_core::{Shard, ports::Polled};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u64);

#[derive(Default)]
pub struct Groups {
    groups: BTreeMap<String, Group>,
    joined: u64,
}

#[derive(Default)]
struct Group {
    members: BTreeMap<SessionId, Member>,
    shards: Vec<Slot>,
}

struct Member {
    name: String,
    /// By shard, the epoch of which it was told.
    believes: BTreeMap<Shard, u64>,
    /// Told to give them away: done at its next poll.
    leaving: Vec<Shard>,
    /// It will hear that these were lost.
    lost: Vec<Shard>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    owner: Option<SessionId>,
    target: Option<SessionId>,
    epoch: u64,
}

/// The session is no member any more.
pub struct Dead;

impl Groups {
    /// A member of the same name is replaced; its session is returned.
    pub fn join(&mut self, group: &str, name: &str, partitions: u32) -> (SessionId, Option<SessionId>) {
        self.joined += 1;
        let id = SessionId(self.joined);
        let group = self.groups.entry(group.into()).or_default();
        let count = group.shards.len().max(partitions as usize);
        group.shards.resize(count, Slot::default());
        let old = group.named(name);
        if let Some(old) = old {
            group.remove(old);
        }
        let member = Member {
            name: name.into(),
            believes: BTreeMap::new(),
            leaving: Vec::new(),
            lost: Vec::new(),
        };
        group.members.insert(id, member);
        group.balance();
        (id, old)
    }

    pub fn leave(&mut self, group: &str, id: SessionId) {
        if let Some(group) = self.groups.get_mut(group) {
            group.remove(id);
            group.balance();
        }
    }
    pub fn kill(&mut self, group: &str, name: &str) -> bool {
        let found = self.groups.get(group).and_then(|g| g.named(name));
        if let Some(id) = found {
            self.leave(group, id);
        }
        found.is_some()
    }
    pub fn clear(&mut self) {
        self.groups.clear();
    }

    pub fn send(&mut self, group: &str, shard: Shard, name: &str) -> bool {
        let Some(group) = self.groups.get_mut(group) else {
            return false;
        };
        let target = group.named(name);
        match (target, group.shards.get_mut(shard.0 as usize)) {
            (Some(_), Some(slot)) => {
                slot.target = target;
                group.settle();
                true
            }
            _ => false,
        }
    }

    /// Takes a shard from its holder at once, for another member if there is one.
    pub fn take(&mut self, group: &str, shard: Shard, told: bool) -> bool {
        let Some(group) = self.groups.get_mut(group) else {
            return false;
        };
        let Some(slot) = group.shards.get(shard.0 as usize).copied() else {
            return false;
        };
        let Some(owner) = slot.owner else {
            return false;
        };
        let other = group.members.keys().copied().find(|id| *id > owner);
        let other = other.or_else(|| group.members.keys().copied().find(|id| *id != owner));
        // Alone, it gets the shard back: then it must hear of it.
        let told = told || other.is_none();
        if let Some(member) = group.members.get_mut(&owner)
            && told
            && member.believes.contains_key(&shard)
        {
            member.lost.push(shard);
        }
        let next = other.or(slot.owner);
        group.shards[shard.0 as usize] = Slot {
            owner: next,
            target: next,
            epoch: slot.epoch + 1,
        };
        true
    }

    /// The first of `shards` that the session does not truly hold.
    pub fn refuses(
        &mut self,
        group: &str,
        id: SessionId,
        shards: impl Iterator<Item = Shard>,
    ) -> Result<Option<Shard>, Dead> {
        let group = self.groups.get_mut(group).ok_or(Dead)?;
        let member = group.members.get_mut(&id).ok_or(Dead)?;
        for shard in shards {
            let slot = group.shards.get(shard.0 as usize).copied().unwrap_or_default();
            let known = member.believes.get(&shard) == Some(&slot.epoch);
            if slot.owner != Some(id) || !known {
                // The refusal is how a zombie learns of it.
                if member.believes.contains_key(&shard) && !member.lost.contains(&shard) {
                    member.lost.push(shard);
                }
                return Ok(Some(shard));
            }
        }
        Ok(None)
    }

    /// The begin of a poll: what was to leave leaves.
    pub fn release(&mut self, group: &str, id: SessionId) -> Result<Vec<Shard>, Dead> {
        let group = self.groups.get_mut(group).ok_or(Dead)?;
        let member = group.members.get_mut(&id).ok_or(Dead)?;
        let leaving = std::mem::take(&mut member.leaving);
        for shard in &leaving {
            member.believes.remove(shard);
            let slot = &mut group.shards[shard.0 as usize];
            if slot.owner == Some(id) {
                slot.owner = slot.target;
                slot.epoch += 1;
            }
        }
        Ok(leaving)
    }

    /// What the session hears at this poll.
    pub fn next_change(&mut self, group: &str, id: SessionId) -> Result<Option<Polled>, Dead> {
        let group = self.groups.get_mut(group).ok_or(Dead)?;
        let member = group.members.get_mut(&id).ok_or(Dead)?;
        let mut lost = std::mem::take(&mut member.lost);
        lost.retain(|shard| member.believes.remove(shard).is_some());
        if !lost.is_empty() {
            return Ok(Some(Polled::Revoked {
                shards: lost,
                lost: true,
            }));
        }
        let mut leaving = Vec::new();
        let mut new = Vec::new();
        let mut stale = Vec::new();
        for (index, slot) in group.shards.iter_mut().enumerate() {
            let shard = Shard(index as u32);
            let believed = member.believes.get(&shard);
            if slot.owner != Some(id) {
                continue;
            }
            match believed {
                Some(epoch) if *epoch != slot.epoch => stale.push(shard),
                Some(_) if slot.target != slot.owner => leaving.push(shard),
                None if slot.target == slot.owner => new.push((shard, slot.epoch)),
                // Lost before it was to leave: nobody holds it, so that it goes on at once.
                None => {
                    slot.owner = slot.target;
                    slot.epoch += 1;
                }
                _ => {}
            }
        }
        if !stale.is_empty() {
            for shard in &stale {
                member.believes.remove(shard);
            }
            return Ok(Some(Polled::Revoked {
                shards: stale,
                lost: true,
            }));
        }
        if !leaving.is_empty() {
            member.leaving.clone_from(&leaving);
            return Ok(Some(Polled::Revoked {
                shards: leaving,
                lost: false,
            }));
        }
        if new.is_empty() {
            return Ok(None);
        }
        member.believes.extend(new.iter().copied());
        Ok(Some(Polled::Assigned(new.into_iter().map(|(s, _)| s).collect())))
    }

    pub fn alive(&self, group: &str, id: SessionId) -> bool {
        self.groups.get(group).is_some_and(|g| g.members.contains_key(&id))
    }
    /// What the session believes to hold.
    pub fn believed(&self, group: &str, id: SessionId) -> Vec<Shard> {
        let member = self.groups.get(group).and_then(|g| g.members.get(&id));
        member.map(|m| m.believes.keys().copied().collect()).unwrap_or_default()
    }
    /// Names of the other members.
    pub fn others(&self, group: &str, id: SessionId) -> Vec<String> {
        let Some(group) = self.groups.get(group) else {
            return Vec::new();
        };
        let others = group.members.iter().filter(|(other, _)| **other != id);
        others.map(|(_, m)| m.name.clone()).collect()
    }
    pub fn owners(&self, group: &str) -> Vec<Option<String>> {
        let Some(group) = self.groups.get(group) else {
            return Vec::new();
        };
        let name = |id| group.members.get(&id).map(|m| m.name.clone());
        group.shards.iter().map(|s| s.owner.and_then(name)).collect()
    }
}

impl Group {
    fn named(&self, name: &str) -> Option<SessionId> {
        let found = self.members.iter().find(|(_, m)| m.name == name);
        found.map(|(id, _)| *id)
    }

    fn remove(&mut self, id: SessionId) {
        self.members.remove(&id);
        for slot in &mut self.shards {
            if slot.target == Some(id) {
                slot.target = None;
            }
            if slot.owner == Some(id) {
                slot.owner = None;
            }
        }
    }

    /// Whole shares, as few moves as possible.
    fn balance(&mut self) {
        let mut room: Vec<(usize, SessionId)> = Vec::new();
        for id in self.members.keys() {
            let claims = self.shards.iter().filter(|s| s.target == Some(*id)).count();
            room.push((claims, *id));
        }
        if room.is_empty() {
            return;
        }
        room.sort_by_key(|(claims, id)| (usize::MAX - claims, *id));
        let (each, larger) = (self.shards.len() / room.len(), self.shards.len() % room.len());
        for (index, (left, _)) in room.iter_mut().enumerate() {
            *left = each + usize::from(index < larger);
        }
        for slot in &mut self.shards {
            let own = room.iter_mut().find(|(left, id)| *left > 0 && slot.target == Some(*id));
            match own {
                Some((left, _)) => *left -= 1,
                None => slot.target = None,
            }
        }
        for slot in self.shards.iter_mut().filter(|s| s.target.is_none()) {
            if let Some((left, id)) = room.iter_mut().find(|(left, _)| *left > 0) {
                *left -= 1;
                slot.target = Some(*id);
            }
        }
        self.settle();
    }

    /// Shards that nobody has heard of move at once.
    fn settle(&mut self) {
        for (index, slot) in self.shards.iter_mut().enumerate() {
            let shard = Shard(index as u32);
            let owner = slot.owner.and_then(|id| self.members.get(&id));
            let heard = owner.is_some_and(|m| m.believes.contains_key(&shard));
            if slot.owner != slot.target && !heard {
                slot.owner = slot.target;
                slot.epoch += 1;
            }
        }
    }
}
