//! What an instance may hold: the sum of its linear memories, its tables, its parts.

use wasmtime::ResourceLimiter;

/// Elements of all tables of an instance together.
const TABLE_ELEMENTS: usize = 1 << 20;
/// Core instances, tables and memories of one component instance.
const INSTANCES: usize = 64;
const TABLES: usize = 64;
const MEMORIES: usize = 16;

/// Counts what wasmtime grants and refuses what goes beyond.
pub struct MemoryLimiter {
    limit: usize,
    granted: usize,
    table_elements: usize,
    refused: bool,
}

impl MemoryLimiter {
    pub fn new(limit: u64) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            granted: 0,
            table_elements: 0,
            refused: false,
        }
    }
    /// Forgets an earlier refusal: a call begins.
    pub fn begin(&mut self) {
        self.refused = false;
    }
    /// Has this call asked for more than there is?
    pub fn refused(&self) -> bool {
        self.refused
    }
    pub fn limit(&self) -> usize {
        self.limit
    }

    fn grow(granted: &mut usize, limit: usize, current: usize, desired: usize) -> bool {
        let wanted = granted.saturating_add(desired.saturating_sub(current));
        let fits = wanted <= limit;
        if fits {
            *granted = wanted;
        }
        fits
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Beyond its own maximum a memory does not grow: nothing is granted, and that is no fault of the limit.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let fits = Self::grow(&mut self.granted, self.limit, current, desired);
        self.refused |= !fits;
        Ok(fits)
    }
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let fits = Self::grow(&mut self.table_elements, TABLE_ELEMENTS, current, desired);
        self.refused |= !fits;
        Ok(fits)
    }
    fn instances(&self) -> usize {
        INSTANCES
    }
    fn tables(&self) -> usize {
        TABLES
    }
    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_counted_together() {
        let mut memory = MemoryLimiter::new(100);
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert!(!memory.refused());
        assert!(!memory.memory_growing(40, 41, None).unwrap());
        assert!(memory.refused());
        memory.begin();
        assert!(!memory.refused());
    }

    #[test]
    fn a_memory_at_its_own_maximum_is_no_fault_of_the_limit() {
        let mut memory = MemoryLimiter::new(100);
        assert!(!memory.memory_growing(10, 20, Some(15)).unwrap());
        assert!(!memory.refused());
    }

    #[test]
    fn tables_are_bounded_too() {
        let mut memory = MemoryLimiter::new(100);
        assert!(memory.table_growing(0, 10, None).unwrap());
        assert!(!memory.table_growing(10, TABLE_ELEMENTS + 1, None).unwrap());
        assert!(memory.refused());
    }
}
