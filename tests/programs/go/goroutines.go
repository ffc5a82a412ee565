// goroutines G N: G goroutines, each N times into a function that yields while it is inside and goes deep enough for its
// stack to be moved.  Speaks the protocol of the other programs.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

type tally struct{ calls, returns int64 }

func (t *tally) enter() { atomic.AddInt64(&t.calls, 1) }
func (t *tally) leave() { atomic.AddInt64(&t.returns, 1) }
func (t *tally) print(name string) {
	fmt.Printf("%s.calls=%d\n%s.returns=%d\n%s.errors=%d\n%s.inside=0\n", name, t.calls, name, t.returns, name,
		t.calls-t.returns, name)
}

var workTally, yieldsTally, deepTally, panicsTally tally
var arguments int64

//go:noinline
func work(i, j int64) int64 {
	workTally.enter()
	atomic.AddInt64(&arguments, i*1000+j)
	workTally.leave()
	return i + j
}

//go:noinline
func deep(depth int64) int64 {
	deepTally.enter()
	var room [256]byte
	room[depth%256] = byte(depth)
	var result int64 = 1
	if depth > 0 {
		result += deep(depth - 1)
	}
	result += int64(room[(depth+1)%256])
	deepTally.leave()
	return result
}

// Its frame stays open while others run, and while the stack it lies on is moved.
//go:noinline
func yields(i int64) int64 {
	yieldsTally.enter()
	runtime.Gosched()
	result := deep(20 + i%40*5)
	runtime.Gosched()
	yieldsTally.leave()
	return result
}

//go:noinline
func panics(i int64) int64 {
	panicsTally.enter()
	if i%7 == 6 {
		panic("the seventh")
	}
	panicsTally.leave()
	return i
}

func recovers(i int64) (result int64) {
	defer func() {
		if recover() != nil {
			result = -1
		}
	}()
	return panics(i)
}

func argument(index int, otherwise int64) int64 {
	if index >= len(os.Args) {
		return otherwise
	}
	value, _ := strconv.ParseInt(os.Args[index], 10, 64)
	return value
}

func main() {
	routines, rounds := argument(1, 20), argument(2, 20)
	fmt.Printf("ready %d\n", os.Getpid())
	bufio.NewReader(os.Stdin).ReadString('\n')
	var all sync.WaitGroup
	var results int64
	for r := int64(0); r < routines; r++ {
		all.Add(1)
		go func(r int64) {
			defer all.Done()
			for i := int64(0); i < rounds; i++ {
				atomic.AddInt64(&results, yields(r+i)+work(i, r)+recovers(i))
			}
		}(r)
	}
	all.Wait()
	workTally.print("main.work")
	yieldsTally.print("main.yields")
	deepTally.print("main.deep")
	panicsTally.print("main.panics")
	fmt.Printf("arguments=%d\nresults=%d\n", arguments, results)
}
