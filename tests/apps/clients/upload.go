// POSTs MIB mebibytes to a URL and prints the status: upload URL MIB
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
)

func main() {
	mib, _ := strconv.Atoi(os.Args[2])
	body := bytes.NewReader(make([]byte, mib<<20))
	response, err := http.Post(os.Args[1], "application/octet-stream", body)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(response.StatusCode)
}
