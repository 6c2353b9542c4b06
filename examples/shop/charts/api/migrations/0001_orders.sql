create table if not exists orders (
  id         uuid primary key,
  customer   text not null,
  placed_at  timestamptz not null default now(),
  total      numeric(12, 2) not null,
  currency   char(3) not null
);
