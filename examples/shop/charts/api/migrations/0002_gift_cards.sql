create table if not exists gift_cards (
  code     text primary key,
  order_id uuid references orders (id),
  balance  numeric(12, 2) not null check (balance >= 0)
);
