// POSTs MIB mebibytes to a URL, TIMES times, in each way that HttpURLConnection knows, and prints the
// statuses: java Upload.java URL MIB TIMES

import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;

public class Upload {
    static final int MIB = 1 << 20;

    public static void main(String[] words) throws Exception {
        int count = Integer.parseInt(words[1]);
        for (int i = 0; i < Integer.parseInt(words[2]); i++) {
            System.out.println(upload(words[0], count, "buffered"));
            System.out.println(upload(words[0], count, "with its length"));
            System.out.println(upload(words[0], count, "chunked"));
        }
    }

    static int upload(String url, int count, String way) throws Exception {
        var connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setRequestMethod("POST");
        connection.setDoOutput(true);
        switch (way) {
            case "with its length": connection.setFixedLengthStreamingMode((long) count * MIB); break;
            case "chunked": connection.setChunkedStreamingMode(MIB); break;
        }
        try (OutputStream out = connection.getOutputStream()) {
            byte[] piece = new byte[MIB];
            for (int i = 0; i < count; i++) out.write(piece);
        }
        return connection.getResponseCode();
    }
}
