//! Memory of a thread.

/// Memory that a thread keeps from one convolution to the next: the system clears every page that it gives anew.
#[derive(Debug)]
pub struct Space<T> {
    pub patches: Vec<T>,
    pub results: Vec<T>,
}

impl<T> Space<T> {
    pub fn bytes(&self) -> usize {
        (self.patches.capacity() + self.results.capacity()) * size_of::<T>()
    }
}

impl<T> Default for Space<T> {
    fn default() -> Self {
        Self { patches: Vec::new(), results: Vec::new() }
    }
}
