// Command payload is the content of the images of the test bed: a process that runs until it is told to stop.
//
// It prints the label found in the file /content, so that logs tell which content a pod runs. It accepts any arguments,
// because charts pass command lines made for other programs, and acts on one only: with "exit" as the first argument it
// ends at once with success, which is what an init container needs. It also serves as the sandbox (pause) image of a node.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
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
	if port := os.Getenv("PORT"); port != "" {
		go listen(port)
	}
	<-stop
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
