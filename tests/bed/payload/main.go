// Command payload is the content of the images of the test bed: a process that runs until it is told to stop.
//
// It prints the label found in the file /content, so that logs tell which content a pod runs. It accepts any arguments,
// because charts pass command lines made for other programs, and acts on two only: with "exit" as the first argument it
// ends at once with success, which is what an init container needs, and with "crash" it fails after the time that follows. It also serves as the sandbox (pause) image of a node.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	label := "without content"
	if content, err := os.ReadFile("/content"); err == nil {
		label = strings.TrimSpace(string(content))
	}
	fmt.Println("payload:", label)
	if len(os.Args) > 1 && os.Args[1] == "exit" {
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "crash" {
		crash(os.Args[2], stop)
	}
	if port := os.Getenv("PORT"); port != "" {
		go listen(port)
	}
	<-stop
}

// crash ends the program with a failure after a while, such as "3s", unless it is told to stop before.
func crash(after string, stop <-chan os.Signal) {
	delay, err := time.ParseDuration(after)
	if err != nil {
		fmt.Println("payload: no time to crash after:", err)
	}
	select {
	case <-stop:
		os.Exit(0)
	case <-time.After(delay):
		fmt.Println("payload: crashing")
		os.Exit(1)
	}
}

// listen accepts connections and closes them: that is all a TCP readiness probe asks for. A port that is taken is no
// failure, because the containers of one pod share their addresses and run this same program.
func listen(port string) {
	listener, err := net.Listen("tcp", "0.0.0.0:"+port)
	if err != nil {
		fmt.Println("payload: not listening:", err)
		return
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		connection.Close()
	}
}
