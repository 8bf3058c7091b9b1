package held

// Devices keeps what belongs to a device, such as its files and its labels, for as long as the device is there. It is
// for one user at a time: Get what is there in this scrape, then Sweep what is not.
type Devices[T any] struct {
	of    map[string]*device[T]
	round int
}

type device[T any] struct {
	value T
	seen  int
}

// Get returns what is kept of the device, which is made when it is seen for the first time.
func (d *Devices[T]) Get(name []byte, build func(name string) T) T {
	known, ok := d.of[string(name)]
	if !ok {
		if d.of == nil {
			d.of = map[string]*device[T]{}
		}
		text := string(name)
		known = &device[T]{value: build(text)}
		d.of[text] = known
	}
	known.seen = d.round
	return known.value
}

// Sweep ends a round: what was not asked for since the last one is dropped, after drop had it.
func (d *Devices[T]) Sweep(drop func(T)) {
	for name, known := range d.of {
		if known.seen != d.round {
			if drop != nil {
				drop(known.value)
			}
			delete(d.of, name)
		}
	}
	d.round++
}
