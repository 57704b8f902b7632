"""The seed's streaming processor over a topic that is there already.

Arguments: Kafka's address, the topic, Redis' port, how many events to take. Prints JSON: the versions, the seconds from
the first message to the last pipeline, this process' CPU seconds in them, and how many events were processed.
The article's client hands over one message after the other; here they come by the thousand, which is faster.
"""

import json
import sys
import time
from datetime import datetime, timedelta

import confluent_kafka
import redis

bootstrap, topic, redis_port, limit = sys.argv[1:]


class StreamingFeatureProcessor:
    def __init__(self):
        self.consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"seed-{time.time_ns()}",
                "auto.offset.reset": "earliest",
            }
        )
        self.consumer.subscribe([topic])
        self.redis = redis.Redis(host="127.0.0.1", port=int(redis_port))
        self.window_duration = timedelta(hours=1)

    def process_event(self, event):
        customer_id = event["customer_id"]
        amount = event["amount"]
        success = event.get("success", True)
        datetime.fromisoformat(event["timestamp"])
        feature_key = f"customer:{customer_id}:realtime"
        pipe = self.redis.pipeline()
        pipe.hincrby(feature_key, "transactions_last_hour", 1)
        pipe.hincrbyfloat(feature_key, "amount_last_hour", amount)
        if not success:
            pipe.hincrby(feature_key, "failed_transactions_last_hour", 1)
        pipe.expire(feature_key, int(self.window_duration.total_seconds()))
        pipe.execute()

    def run(self, count):
        started = None
        done = 0
        while done < count:
            for message in self.consumer.consume(min(1000, count - done), timeout=0.1):
                if message.error():
                    raise RuntimeError(message.error().str())
                if started is None:
                    started = (time.perf_counter(), time.process_time())
                self.process_event(json.loads(message.value().decode("utf-8")))
                done += 1
        return time.perf_counter() - started[0], time.process_time() - started[1], done


seconds, cpu_seconds, events = StreamingFeatureProcessor().run(int(limit))
version = f"confluent-kafka {confluent_kafka.__version__}, redis-py {redis.__version__}"
print(json.dumps({"version": version, "seconds": seconds, "cpuSeconds": cpu_seconds, "events": events}))
